"""Tests of what agents call."""
