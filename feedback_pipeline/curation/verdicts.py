"""What the checks found about one correction: the evidence reviewers are shown, and the row it is stored as.

Here stands what a verdict is and how evidence from running the SQL joins it. How the checks come to it stands in
``checks``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from feedback_pipeline.curation.cleaning import CLEANING_VERSION, Cleaned
from feedback_pipeline.curation.sql import ANALYSIS_VERSION, CanonicalSql, Columns

CHECK_NAMES = ("has_answer", "parses", "read_only", "names_resolve", "execution", "differs")
"""The checks that can fail come first, in the order in which they are made."""

UNFINISHED = "timed_out"
"""Flag of an answer that did not end within the deadline."""


@dataclass(frozen=True)
class DatabaseFacts:
    """What the checks may know of a database: its dialect, its schema where known, and whether SQL can be run on it.

    ``epoch`` is how often all its feedback was to be checked again.
    """

    database_id: str
    dialect: str
    registered: bool = True
    columns: Columns | None = None
    schema_fingerprint: str | None = None
    executable: bool = False
    epoch: int = 0

    @property
    def checks_key(self) -> str:
        """Identify what a verdict depends on besides the SQL; another key means: check again."""
        how = "run" if self.executable else "read"
        again = f":{self.epoch}" if self.epoch else ""
        return f"v{ANALYSIS_VERSION}.{CLEANING_VERSION}:{self.dialect}:{self.schema_fingerprint or '-'}:{how}{again}"


@dataclass(frozen=True)
class SafeTexts:
    """The texts of one submission as they may leave the store; None where there was none."""

    question: Cleaned
    answer: Cleaned | None = None
    generated: Cleaned | None = None
    comment: Cleaned | None = None

    def named(self) -> dict[str, Cleaned]:
        """Return the texts there are, under the names people know them by."""
        every = {"question": self.question, "answer": self.answer, "generated": self.generated, "comment": self.comment}
        return {name: cleaned for name, cleaned in every.items() if cleaned is not None}

    @property
    def redactions(self) -> int:
        """How many personal data and secrets were replaced in all texts."""
        return sum(sum(cleaned.redactions.values()) for cleaned in self.named().values())


@dataclass
class Verdict:
    """The outcome of all checks of one correction; ``evidence`` is what reviewers are shown.

    ``submission`` is what came in (a row of schemas.SUBMISSIONS); ``answer_sql`` and ``generated_sql`` are tidied.
    ``flags`` name what a person should look at first. ``tables`` are those ``answer_sql`` reads, ``ordered`` tells
    whether the order of its rows counts.
    """

    facts: DatabaseFacts
    submission: Mapping[str, Any]
    safe: SafeTexts
    evidence: dict[str, Any] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    answer_sql: str | None = None
    generated_sql: str | None = None
    canonical_sql: CanonicalSql | None = None
    is_error_pair: bool = False
    tables: tuple[str, ...] = ()
    ordered: bool = False

    def note(self, check: str, outcome: str, detail: str | None = None, **more: Any) -> None:
        """Record the outcome of one check, and what else belongs to its evidence."""
        self.evidence[check] = {"outcome": outcome, **({"detail": detail} if detail else {}), **more}

    @property
    def failed_check(self) -> str | None:
        """Name of the first failed check, if any."""
        return first_failed(self.evidence)

    def as_row(self) -> dict[str, Any]:
        """Return the row of schemas.CHECK_RESULTS."""
        document = self._document()
        return {
            **{name: document[name] for name in _IN_BOTH},
            "results_equal": None,
            "result_digest": None,
            "safe_question": self.safe.question.text,
            "safe_sql": _text(self.safe.answer),
            "safe_generated_sql": _text(self.safe.generated),
            "checks_key": self.facts.checks_key,
            "checks": json.dumps(document, sort_keys=True, ensure_ascii=False),
        }

    def _document(self) -> dict[str, Any]:
        return {
            **self.evidence,
            "passed": self.failed_check is None,
            "failed_check": self.failed_check,
            "dialect": self.facts.dialect,
            "schema_fingerprint": self.facts.schema_fingerprint,
            "answer_sql": self.answer_sql,
            "canonical_sql": self.canonical_sql.text if self.canonical_sql else None,
            "sql_skeleton": self.canonical_sql.skeleton if self.canonical_sql else None,
            "is_error_pair": self.is_error_pair,
            "tables": list(self.tables),
            "ordered": self.ordered,
            "redactions": self.safe.redactions,
            "flags": sorted(self.flags),
            **self._changed_texts(),
        }

    def _changed_texts(self) -> dict[str, str]:
        """Return the texts that differ from what came in: only these need a place in the evidence."""
        came_in, safe = self.submission, self.safe
        changed = {
            "tidied_generated_sql": (self.generated_sql, came_in["generated_sql"]),
            "safe_question": (safe.question.text, came_in["natural_query"]),
            "safe_sql": (_text(safe.answer), self.answer_sql),
            "safe_generated_sql": (_text(safe.generated), came_in["generated_sql"]),
        }
        return {name: text for name, (text, before) in changed.items() if text and text != before}


_IN_BOTH = (
    *("passed", "failed_check", "answer_sql", "canonical_sql", "sql_skeleton"),
    *("is_error_pair", "redactions", "flags"),
)


def first_failed(evidence: Mapping[str, Any]) -> str | None:
    """Return the name of the first failed check in a document of evidence, if any."""
    return next((name for name in CHECK_NAMES if (evidence.get(name) or {}).get("outcome") == "fail"), None)


def with_execution(document: dict[str, Any], evidence: Mapping[str, Any], result_digest: str | None) -> dict[str, Any]:
    """Return a document of evidence joined by what running the SQL has shown.

    Equal results make it no error pair: the correction improves style. An answer that fails to run fails the check; one
    that does not end in time is flagged, since a slow database is no fault of the SQL.

    Args:
        document: the evidence of one correction without ``execution``.
        evidence: what stands under ``checks.execution``; ``results_equal`` is true, false or null.
        result_digest: identifies the rows of the answer, None where they say nothing.
    """
    equal = evidence["results_equal"]
    if result_digest and (evidence.get("corrected") or {}).get("rows") == 1:
        # One row is soon equal by accident, so it tells only of answers that read the same tables.
        result_digest = f"{result_digest}:{','.join(document['tables'])}"
    joined = {**document, "execution": dict(evidence), "results_equal": equal, "result_digest": result_digest}
    joined["equivalent"] = equal is True and joined["is_error_pair"]
    joined["is_error_pair"] = joined["is_error_pair"] and equal is not True
    if (evidence.get("corrected") or {}).get("outcome") == "timed_out":
        joined["flags"] = sorted({*joined["flags"], UNFINISHED})
    joined["failed_check"] = first_failed(joined)
    joined["passed"] = joined["failed_check"] is None
    return joined


def _text(cleaned: Cleaned | None) -> str | None:
    return cleaned.text if cleaned else None
