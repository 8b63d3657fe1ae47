"""Execution: what running SQL shows. Corrected and generated SQL run read-only beside each other, within limits.

Whatever SQL comes in is taken for hostile. Nothing here reads the store, the environment or the SQL itself: targets
and limits are passed in, and what the SQL reads and whether its order counts is said by the caller.

``running`` → one of the engines (``sqlite_engine``, ``postgres_engine``, ``duckdb_engine``) → ``comparison`` →
``evidence``.
"""

from feedback_pipeline.execution.contracts import Limits, Pair, Target
from feedback_pipeline.execution.evidence import Evidence
from feedback_pipeline.execution.running import evidence_of
from feedback_pipeline.execution.urls import is_executable

__all__ = ["Evidence", "Limits", "Pair", "Target", "evidence_of", "is_executable"]
