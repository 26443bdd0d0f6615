"""Pages of the documentation that are generated from protos, command line and node types."""
