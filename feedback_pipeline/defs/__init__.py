"""Thin Dagster wrappers, one file per stage. An asset body calls one function, reports metadata and returns.

Read them in the order of the journey: ``raw`` → ``curation`` → ``serving`` and ``training``; then ``checks`` (what
stops bad data), ``jobs``, ``schedules`` and ``sensors`` (what starts work). What they call knows nothing of Dagster.
"""
