"""Automatic checks of a correction, with evidence: what can be said without asking a person.

Every check has an outcome: ``pass``; ``fail`` (blocks verification); ``note`` (worth knowing, blocks nothing);
``not_checked`` (cannot be told, with the reason). The evidence is a JSON object with one entry per check. Here the SQL
is read; what running it shows is found by ``execution`` and joins the evidence later (``verdicts.with_execution``).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlglot import exp

from feedback_pipeline.curation.cleaning import clean_sql, clean_text
from feedback_pipeline.curation.findings import Rewrite
from feedback_pipeline.curation.names import unresolved_name
from feedback_pipeline.curation.rewrites import describe_answer, describe_rewrite
from feedback_pipeline.curation.sql import (
    PARSER_FAULTS,
    CanonicalSql,
    SqlError,
    canonical,
    parse_query,
    referenced_tables,
)
from feedback_pipeline.curation.tidying import Tidied, tidy
from feedback_pipeline.curation.verdicts import DatabaseFacts, SafeTexts, Verdict

ENDORSING_RATING = 4
"""Rating (1-5) from which a user who corrects nothing vouches for the generated SQL."""


@dataclass(frozen=True)
class Reading:
    """One SQL text read in one database: its canonical form, or why it has none.

    ``tables`` are the base tables it reads; ``ordered`` tells whether the order of its rows counts.
    """

    canonical: CanonicalSql | None
    failed_check: str | None = None
    detail: str | None = None
    unresolved: str | None = None
    tables: tuple[str, ...] = ()
    ordered: bool = False


class CorrectionChecker:
    """Checks corrections against the databases they belong to; remembers SQL texts it has read."""

    def __init__(self, databases: Mapping[str, DatabaseFacts], default_dialect: str = "sqlite"):
        self.databases = dict(databases)
        self.default_dialect = default_dialect
        self._read = lru_cache(maxsize=200_000)(self._read_afresh)
        self._tidy = lru_cache(maxsize=20_000)(tidy)
        self._parse = lru_cache(maxsize=2_000)(parse_query)

    def facts(self, database_id: str) -> DatabaseFacts:
        """Return what is known of a database; an unregistered one has the default dialect and no schema."""
        known = self.databases.get(database_id)
        return known or DatabaseFacts(database_id, self.default_dialect, registered=False)

    def check(self, row: Mapping[str, Any]) -> Verdict:
        """Check one submission (a row of schemas.SUBMISSIONS; ``comment`` may be missing).

        A rating of ENDORSING_RATING or more without a correction vouches for the generated SQL.
        """
        facts = self.facts(row["database_id"])
        answer, generated = self._tidied(_answer(row), facts), self._tidied(row["generated_sql"], facts)
        safe = _safe_texts(row, answer, generated, facts.dialect)
        verdict = Verdict(facts, row, safe, answer_sql=_sql(answer), generated_sql=_sql(generated))
        if answer is None:
            why = "no corrected SQL, and no good rating that vouches for the generated one"
            verdict.note("has_answer", "fail", why)
        else:
            verdict.note("has_answer", "note" if answer.removed else "pass", "; ".join(answer.removed) or None)
            self._judge_answer(verdict, answer)
            self._compare(verdict, row)
            self._describe(verdict)
        _report_cleaning(verdict)
        return verdict

    def _tidied(self, sql: str | None, facts: DatabaseFacts) -> Tidied | None:
        return self._tidy(sql, facts.dialect) if sql and sql.strip() else None

    def _judge_answer(self, verdict: Verdict, answer: Tidied) -> None:
        reading = self._read(answer.sql, verdict.facts.database_id)
        if reading.failed_check:
            verdict.note(reading.failed_check, "fail", answer.problem or reading.detail)
            return
        verdict.canonical_sql = self._safe_form(verdict, reading)
        verdict.tables, verdict.ordered = reading.tables, reading.ordered
        verdict.note("parses", "pass")
        verdict.note("read_only", "pass")
        if verdict.facts.columns is None:
            verdict.note("names_resolve", "not_checked", _why_no_schema(verdict.facts))
        else:
            verdict.note("names_resolve", "fail" if reading.unresolved else "pass", reading.unresolved)

    def _safe_form(self, verdict: Verdict, reading: Reading) -> CanonicalSql | None:
        """Return the canonical form of the answer's safe text: it leaves the store with it."""
        safe = verdict.safe.answer
        if safe is None or safe.text == verdict.answer_sql:
            return reading.canonical
        return self._read(safe.text, verdict.facts.database_id).canonical

    def _compare(self, verdict: Verdict, row: Mapping[str, Any]) -> None:
        if verdict.generated_sql is None:
            verdict.note("differs", "not_checked", "no generated SQL to compare with")
        elif not (row["corrected_sql"] or "").strip():
            verdict.note("differs", "note", "a good rating vouches for the generated SQL; there is no correction")
        elif verdict.canonical_sql is None:
            verdict.note("differs", "not_checked", "the corrected SQL could not be read")
        else:
            self._compare_forms(verdict)

    def _compare_forms(self, verdict: Verdict) -> None:
        corrected = self._read(verdict.answer_sql, verdict.facts.database_id)
        reading = self._read(verdict.generated_sql, verdict.facts.database_id)
        if reading.canonical == corrected.canonical:
            verdict.note("differs", "note", "equals the generated SQL: it confirms that answer, it corrects nothing")
            return
        verdict.is_error_pair = True
        why = f"the generated SQL {reading.detail}" if reading.failed_check else None
        verdict.note("differs", "pass", why)

    def _describe(self, verdict: Verdict) -> None:
        """Say in words what the correction does; what asks for a person's look becomes a flag."""
        try:
            rewrite = self._rewrite(verdict)
        except (*PARSER_FAULTS, RecursionError):
            return
        if rewrite.findings:
            verdict.note("rewrite", "note", "; ".join(rewrite.sentences), kinds=list(rewrite.kinds))
            verdict.flags.update(rewrite.flags)

    def _rewrite(self, verdict: Verdict) -> Rewrite:
        """Describe the answer beside the generated SQL where it corrects it, else alone.

        Raises:
            SqlError: one of the two cannot be read, which the checks have said already.
        """
        facts, answer = verdict.facts, self._parse(verdict.answer_sql, verdict.facts.dialect)
        if not verdict.is_error_pair or self._read(verdict.generated_sql, facts.database_id).canonical is None:
            return describe_answer(answer, facts.dialect, facts.columns)
        generated = self._parse(verdict.generated_sql, facts.dialect)
        return describe_rewrite(generated, answer, facts.dialect, facts.columns)

    def _read_afresh(self, sql: str, database_id: str) -> Reading:
        facts = self.facts(database_id)
        try:
            tree = parse_query(sql, facts.dialect)
            return _reading_of(tree, facts)
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


def _sql(tidied: Tidied | None) -> str | None:
    return tidied.sql if tidied else None


def _safe_texts(row: Mapping[str, Any], answer: Tidied | None, generated: Tidied | None, dialect: str) -> SafeTexts:
    return SafeTexts(
        question=clean_text(row["natural_query"]),
        answer=clean_sql(answer.sql, dialect) if answer else None,
        generated=clean_sql(generated.sql, dialect) if generated else None,
        comment=clean_text(row["comment"]) if row.get("comment") else None,
    )


def _report_cleaning(verdict: Verdict) -> None:
    named = verdict.safe.named()
    redacted = {name: dict(sorted(c.redactions.items())) for name, c in named.items() if c.redactions}
    removed = {name: dict(sorted(c.removed_signs.items())) for name, c in named.items() if c.removed_signs}
    flags = {name: list(c.flags) for name, c in named.items() if c.flags}
    if redacted:
        detail = f"personal data or secrets replaced in the {_listed(redacted)}"
        verdict.note("privacy", "note", detail, redacted=redacted)
    if removed or flags:
        parts = [f"signs that hide or reorder text removed from the {_listed(removed)}"] if removed else []
        parts += [f"the {name} looks like {', '.join(found)}" for name, found in sorted(flags.items())]
        verdict.note("prompt_safety", "note", "; ".join(parts), removed=removed, flags=flags)
    verdict.flags.update(flag for found in flags.values() for flag in found)


def _listed(texts: Mapping[str, Any]) -> str:
    return ", ".join(sorted(texts))


def _reading_of(tree: exp.Query, facts: DatabaseFacts) -> Reading:
    return Reading(
        canonical(tree, facts.dialect, facts.columns),
        unresolved=_unresolved(tree, facts),
        tables=tuple(sorted({table.name for table in referenced_tables(tree)})),
        ordered=tree.args.get("order") is not None,
    )


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
