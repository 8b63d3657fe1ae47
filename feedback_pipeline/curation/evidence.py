"""What the stored checks of a correction prove, in the few words that a dataset carries along.

The full evidence, with rows of the database in it, stays in the store.
"""

import json
from typing import Any

from feedback_pipeline.curation.cleaning import clean_text

_RAN = ("ok", "too_large")


def evidence_of_checks(checks: str, is_error_pair: bool) -> dict[str, Any]:
    """Return the fields of schemas.EVIDENCE for one correction.

    Args:
        checks: the document of evidence as JSON (schemas.CHECK_RESULTS).
        is_error_pair: the generated SQL is held to be wrong; of others no difference is told.
    """
    document = json.loads(checks)
    execution = document.get("execution") or {}
    equal = execution.get("results_equal")
    return {
        "evidence": _level(document, execution),
        "schema_fingerprint": document.get("schema_fingerprint"),
        "results_differ": None if equal is None or not is_error_pair else not equal,
        "difference": _difference(execution) if is_error_pair and equal is False else None,
    }


def _level(document: dict[str, Any], execution: dict[str, Any]) -> str:
    if (execution.get("corrected") or {}).get("outcome") in _RAN:
        return "executed"
    return "resolved" if (document.get("names_resolve") or {}).get("outcome") == "pass" else "parsed"


def _difference(execution: dict[str, Any]) -> str | None:
    """Return what was seen; a message of the database may quote a value, so it is cleaned like any text of a user."""
    detail = execution.get("detail")
    return clean_text(detail).text if detail else None
