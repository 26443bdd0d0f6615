"""The command line, servers and examples as processes."""
