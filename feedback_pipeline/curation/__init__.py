"""Curation: the rules that decide what feedback may teach. Pure: tables in, result objects out.

Nothing here reads the store, the environment or a clock. A result keeps what was dropped and why, never only what was
kept. Stages in order: ``checks`` → ``verification`` → ``deduplication`` (with ``clustering``) → ``embedding``.
"""
