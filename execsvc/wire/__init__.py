"""The only code between protobuf and the model, and the one table from error to status."""
