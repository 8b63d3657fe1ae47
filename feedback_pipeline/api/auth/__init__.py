"""Who calls, and what they may: bearer tokens (JWT), roles, and the databases a caller is limited to."""
