"""Automatic checks of a correction, with evidence: what can be said without asking a person.

Every check has an outcome: ``pass``; ``fail`` (blocks verification); ``note`` (worth knowing, blocks nothing);
``not_checked`` (cannot be told, with the reason). The evidence is a JSON object with one entry per check.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlglot import exp

from feedback_pipeline.curation.names import unresolved_name
from feedback_pipeline.curation.sql import (
    ANALYSIS_VERSION,
    PARSER_FAULTS,
    CanonicalSql,
    Columns,
    SqlError,
    canonical,
    parse_query,
    tidy,
)

ENDORSING_RATING = 4
"""Rating (1-5) from which a user who corrects nothing vouches for the generated SQL."""

CHECK_NAMES = ("has_answer", "parses", "read_only", "names_resolve", "differs")


@dataclass(frozen=True)
class DatabaseFacts:
    """What the checks may know of a database: its dialect and, where known, its schema."""

    database_id: str
    dialect: str
    registered: bool = True
    columns: Columns | None = None
    schema_fingerprint: str | None = None

    @property
    def checks_key(self) -> str:
        """Identify what a verdict depends on besides the SQL; another key means: check again."""
        return f"v{ANALYSIS_VERSION}:{self.dialect}:{self.schema_fingerprint or '-'}"


@dataclass
class Verdict:
    """The outcome of all checks of one correction; ``evidence`` is what reviewers are shown."""

    facts: DatabaseFacts
    evidence: dict[str, Any] = field(default_factory=dict)
    answer_sql: str | None = None
    canonical_sql: CanonicalSql | None = None
    is_error_pair: bool = False

    def note(self, check: str, outcome: str, detail: str | None = None) -> None:
        """Record the outcome of one check."""
        self.evidence[check] = {"outcome": outcome, "detail": detail} if detail else {"outcome": outcome}

    @property
    def failed_check(self) -> str | None:
        """Name of the first failed check, if any."""
        return next((c for c in CHECK_NAMES if self.evidence.get(c, {}).get("outcome") == "fail"), None)

    def as_row(self) -> dict[str, Any]:
        """Return the row of schemas.CHECK_RESULTS."""
        return {
            "passed": self.failed_check is None,
            "failed_check": self.failed_check,
            "answer_sql": self.answer_sql,
            "canonical_sql": self.canonical_sql.text if self.canonical_sql else None,
            "sql_skeleton": self.canonical_sql.skeleton if self.canonical_sql else None,
            "is_error_pair": self.is_error_pair,
            "checks_key": self.facts.checks_key,
            "checks": json.dumps(self._document(), sort_keys=True, ensure_ascii=False),
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
        }


@dataclass(frozen=True)
class Reading:
    """One SQL text read in one database: its canonical form, or why it has none."""

    canonical: CanonicalSql | None
    failed_check: str | None = None
    detail: str | None = None
    unresolved: str | None = None


class CorrectionChecker:
    """Checks corrections against the databases they belong to; remembers SQL texts it has read."""

    def __init__(self, databases: Mapping[str, DatabaseFacts], default_dialect: str = "sqlite"):
        self.databases = dict(databases)
        self.default_dialect = default_dialect
        self._read = lru_cache(maxsize=200_000)(self._read_afresh)

    def facts(self, database_id: str) -> DatabaseFacts:
        """Return what is known of a database; an unregistered one has the default dialect and no schema."""
        known = self.databases.get(database_id)
        return known or DatabaseFacts(database_id, self.default_dialect, registered=False)

    def check(self, row: Mapping[str, Any]) -> Verdict:
        """Check one submission (a row of schemas.SUBMISSIONS).

        A rating of ENDORSING_RATING or more without a correction vouches for the generated SQL.
        """
        verdict = Verdict(self.facts(row["database_id"]))
        answer = _answer(row)
        if answer is None:
            verdict.note(
                "has_answer",
                "fail",
                "no corrected SQL, and no good rating that vouches for the generated one",
            )
            return verdict
        verdict.answer_sql, removed = tidy(answer)
        verdict.note("has_answer", "note" if removed else "pass", "; ".join(removed) or None)
        self._judge_answer(verdict)
        self._compare(verdict, row)
        return verdict

    def _judge_answer(self, verdict: Verdict) -> None:
        reading = self._read(verdict.answer_sql, verdict.facts.database_id)
        if reading.failed_check:
            verdict.note(reading.failed_check, "fail", reading.detail)
            return
        verdict.canonical_sql = reading.canonical
        verdict.note("parses", "pass")
        verdict.note("read_only", "pass")
        if verdict.facts.columns is None:
            verdict.note("names_resolve", "not_checked", _why_no_schema(verdict.facts))
        else:
            verdict.note("names_resolve", "fail" if reading.unresolved else "pass", reading.unresolved)

    def _compare(self, verdict: Verdict, row: Mapping[str, Any]) -> None:
        if not (row["generated_sql"] or "").strip():
            verdict.note("differs", "not_checked", "no generated SQL to compare with")
        elif not (row["corrected_sql"] or "").strip():
            verdict.note("differs", "note", "a good rating vouches for the generated SQL; there is no correction")
        elif verdict.canonical_sql is None:
            verdict.note("differs", "not_checked", "the corrected SQL could not be read")
        else:
            self._compare_forms(verdict, tidy(row["generated_sql"])[0])

    def _compare_forms(self, verdict: Verdict, generated_sql: str) -> None:
        generated = self._read(generated_sql, verdict.facts.database_id)
        if generated.canonical == verdict.canonical_sql:
            verdict.note("differs", "note", "equals the generated SQL: it confirms that answer, it corrects nothing")
            return
        verdict.is_error_pair = True
        why = f"the generated SQL {generated.detail}" if generated.failed_check else None
        verdict.note("differs", "pass", why)

    def _read_afresh(self, sql: str, database_id: str) -> Reading:
        facts = self.facts(database_id)
        try:
            tree = parse_query(sql, facts.dialect)
            unresolved = _unresolved(tree, facts)
            return Reading(canonical(tree, facts.dialect, facts.columns), unresolved=unresolved)
        except SqlError as error:
            return Reading(None, error.kind, str(error))
        except RecursionError:
            return Reading(None, "parses", "is nested too deeply to analyse")
        except PARSER_FAULTS as error:
            return Reading(None, "parses", f"cannot be analysed as {facts.dialect}: {error}")


def _answer(row: Mapping[str, Any]) -> str | None:
    if (row["corrected_sql"] or "").strip():
        return row["corrected_sql"]
    endorsed = row["rating"] is not None and row["rating"] >= ENDORSING_RATING
    return row["generated_sql"] if endorsed and (row["generated_sql"] or "").strip() else None


def _unresolved(tree: exp.Query, facts: DatabaseFacts) -> str | None:
    if facts.columns is None:
        return None
    return unresolved_name(tree, facts.dialect, json.dumps(facts.columns, sort_keys=True), facts.columns)


def _why_no_schema(facts: DatabaseFacts) -> str:
    if facts.registered:
        return f"database '{facts.database_id}' has no schema; add one with --url or --ddl"
    return (
        f"database '{facts.database_id}' is not registered; run 'feedback-pipeline databases add "
        f"{facts.database_id} --dialect …'"
    )
