"""Closes the loop between what users tell an AI product and what that product does next.

Read the package from top to bottom: ``store`` (system of record) and ``intake`` (what comes in), ``curation`` (pure
rules), ``example_index`` and ``finetune`` (what is published), ``retrieval`` (what agents call). ``defs`` wraps it all
for Dagster, ``cli`` for people.
"""

__version__ = "0.1.0"
