"""Masking: which values of a database a question names, so that its shape can be compared instead of its values.

"biggest city in texas" and "biggest city in ohio" ask the same thing. A value is known from the verified SQL it stands
in (literal → column) and from a sample of the database's text columns. Source of the idea: masked question similarity
in DAIL-SQL (https://arxiv.org/abs/2308.15363). Pure, and light enough for the query path: no SQL is parsed here.
"""
