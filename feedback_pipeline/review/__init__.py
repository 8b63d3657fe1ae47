"""Reviewing: what waits in which order, who has it, what was decided.

Brings together ``curation`` (the rules), ``checking`` (the evidence) and ``store`` (who decided what), for every edge
that reviewers use: command line, HTTP and pages.
"""
