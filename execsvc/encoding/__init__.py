"""Protobuf as bytes and plain values: what is kept in the form in which it is sent."""
