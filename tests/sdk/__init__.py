"""The scenarios that every client runs: the lab that serves them, and the table of what became of them."""
