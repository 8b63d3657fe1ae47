"""Behaviour of the execution of SQL, on real SQLite, Postgres and DuckDB."""
