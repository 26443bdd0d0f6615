"""The figures, each one command; every table has its reference measured in the same run."""
