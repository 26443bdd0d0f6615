"""Run workflows durably on LangGraph behind a gRPC API."""

__version__ = "0.1.0"
