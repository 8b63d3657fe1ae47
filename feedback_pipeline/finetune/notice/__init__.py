"""Telling the world of new versions: webhooks and the Hugging Face hub."""
