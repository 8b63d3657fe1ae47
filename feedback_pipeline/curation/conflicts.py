"""What is claimed about one question: which claims are the same answer, and where answers contradict each other.

A claim is one feedback as rules look at it. Claims are one answer where their canonical SQL is the same, or where
running it gave the same rows: the rule by which ``deduplication`` merges.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from feedback_pipeline.curation.questions import canonical_question

Question = tuple[str, str]
"""(database_id, canonical question)."""

_PENDING, _REJECTED = "pending", "rejected"
_IN_USE = frozenset({"verified", "applied"})
_READ = (
    *("feedback_id", "database_id", "safe_question", "user_hash", "rating", "created_at"),
    *("passed", "failed_check", "safe_sql", "canonical_sql", "result_digest", "flags", "checks"),
)


@dataclass(frozen=True)
class Claim:
    """One feedback: what it says, who says it and what the checks found.

    ``evidence`` is what stands under ``checks.execution``; ``executed`` tells whether the answer ran and gave rows.
    """

    feedback_id: str
    question: Question
    status: str
    user_hash: str | None
    rating: int | None
    passed: bool
    failed_check: str | None
    sql: str | None
    canonical_sql: str | None
    result_digest: str | None
    flags: tuple[str, ...]
    created_at: datetime
    evidence: Mapping[str, Any]

    @property
    def executed(self) -> bool:
        """Tell whether the answer ran without error."""
        return (self.evidence.get("corrected") or {}).get("outcome") == "ok"

    @property
    def stands(self) -> bool:
        """Tell whether it contradicts others: it is in use, or waits and passes the checks.

        What fails the checks cannot be verified just so, hence it keeps nobody else from being so.
        """
        if self.canonical_sql is None:
            return False
        return self.status in _IN_USE or (self.status == _PENDING and self.passed)


@dataclass(frozen=True)
class Answer:
    """One of the answers to a question, with everybody who gives it; the earliest wording comes first."""

    claims: tuple[Claim, ...]

    @property
    def users(self) -> frozenset[str]:
        """The distinct users who give it; feedback without user is nobody's voice."""
        return frozenset(claim.user_hash for claim in self.claims if claim.user_hash is not None)

    @property
    def stands(self) -> bool:
        """Tell whether any of its claims does."""
        return any(claim.stands for claim in self.claims)

    @property
    def was_rejected(self) -> bool:
        """Tell whether a reviewer has said no to it."""
        return any(claim.status == _REJECTED for claim in self.claims)


@dataclass(frozen=True)
class Conflict:
    """A question with rival answers, of which a reviewer must choose one."""

    question: Question
    rivals: tuple[Answer, ...]


def claims_of(checked: pa.Table, statuses: Mapping[str, str]) -> list[Claim]:
    """Return the claims of ``checked`` (schemas.CHECKED_FEEDBACK); ``statuses`` holds the status of each feedback."""
    return [_claim(row, statuses[row["feedback_id"]]) for row in checked.select(_READ).to_pylist()]


def _claim(row: Mapping[str, Any], status: str) -> Claim:
    return Claim(
        feedback_id=row["feedback_id"],
        question=(row["database_id"], canonical_question(row["safe_question"])),
        status=status,
        user_hash=row["user_hash"],
        rating=row["rating"],
        passed=row["passed"],
        failed_check=row["failed_check"],
        sql=row["safe_sql"],
        canonical_sql=row["canonical_sql"],
        result_digest=row["result_digest"],
        flags=tuple(row["flags"]),
        created_at=row["created_at"],
        evidence=json.loads(row["checks"]).get("execution") or {},
    )


def answers_by_question(claims: Iterable[Claim]) -> dict[Question, list[Answer]]:
    """Return the answers to each question, those given earliest first; what could not be read is no answer."""
    grouped: dict[Question, list[Claim]] = defaultdict(list)
    for claim in sorted(claims, key=lambda claim: (claim.created_at, claim.feedback_id)):
        if claim.canonical_sql is not None:
            grouped[claim.question].append(claim)
    return {question: _answers(members) for question, members in grouped.items()}


def _answers(claims: list[Claim]) -> list[Answer]:
    digests: dict[str | None, set[str]] = defaultdict(set)
    for claim in claims:
        digests[claim.canonical_sql].update([claim.result_digest] if claim.result_digest else [])
    answers: dict[tuple[str, str | None], list[Claim]] = defaultdict(list)
    for claim in claims:
        known = digests[claim.canonical_sql]
        # A query that gave different rows at different times says nothing, like one that was never run.
        key = ("rows", next(iter(known))) if len(known) == 1 else ("sql", claim.canonical_sql)
        answers[key].append(claim)
    return [Answer(tuple(members)) for members in answers.values()]


def conflicts(claims: Iterable[Claim]) -> list[Conflict]:
    """Return the questions whose standing answers differ, with these answers, ordered by database and question."""
    found = []
    for question, answers in sorted(answers_by_question(claims).items()):
        rivals = tuple(answer for answer in answers if answer.stands)
        if len(rivals) > 1:
            found.append(Conflict(question, rivals))
    return found
