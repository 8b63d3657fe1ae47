"""Erasing one user: out of the store, and out of everything that was ever made from it.

``subject`` says whom, and what a place is; each ``in_…`` is one: it finds, removes and searches again. ``erase`` goes
through them in order and leaves a receipt (``receipt``). What was asked for stands in the journal of the store, so that
a crash at any point is finished by whoever comes next. Nothing here knows Dagster; its run history is a place that
``defs`` adds.
"""
