"""Tests of the tables between stages."""
