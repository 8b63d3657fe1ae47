"""Tests of the rules of curation."""
