"""Run the scenarios of all clients with both clients of Python; not part of the distribution."""
