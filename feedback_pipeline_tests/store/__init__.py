"""Behaviour of the system of record, on SQLite and on a real Postgres."""
