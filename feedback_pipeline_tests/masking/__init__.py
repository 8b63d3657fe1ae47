"""Tests of what is masked in a question, and what is made of it."""
