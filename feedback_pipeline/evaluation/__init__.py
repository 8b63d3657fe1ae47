"""Evaluation: how often retrieval finds the right example, and how often the SQL that follows from it is right.

``questions`` reads what is asked, ``recall`` measures rankers on it, ``rankers`` and ``product`` are what is measured:
plain cosine similarity, perfect masks, and the index as it is published. ``sql_accuracy`` runs what a generator answers
with and without examples. ``probes`` tells whether a publication would find less than the one before.
"""
