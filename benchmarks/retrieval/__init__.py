"""Retrieval at a hundred thousand and at a million examples, beside what one would use instead.

Every comparison runs in turns in one process, so that a busy machine slows both; quote ratios and medians.
"""
