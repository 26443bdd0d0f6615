"""Who may call what, and that callers of one namespace learn nothing of another."""
