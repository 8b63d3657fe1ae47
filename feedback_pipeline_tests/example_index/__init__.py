"""Tests of the published index."""
