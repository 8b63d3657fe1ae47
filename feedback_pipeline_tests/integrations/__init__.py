"""Tests of the adapters to frameworks for agents."""
