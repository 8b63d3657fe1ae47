"""Questions whose answers contradict each other, as a person compares them: rivals side by side with their evidence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from feedback_pipeline.curation.conflicts import Answer, Claim, conflicts
from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.policy import claims_by_id
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Status, Store
from feedback_pipeline.store.queries import questions_with

_WORDS = re.compile(r"[A-Za-z0-9]+")
_STANDING = (Status.PENDING, Status.VERIFIED, Status.APPLIED)


@dataclass(frozen=True)
class Rival:
    """One of the answers to a question, with everybody who gives it.

    ``sqls`` holds each wording of its SQL, ``sql`` the earliest: different SQL that gives the same rows is one answer.
    ``statuses`` holds the status of each feedback; ``execution`` is the evidence of running it and ``result_digest``
    identifies its rows, None where they say nothing.
    """

    sql: str | None
    feedback_ids: tuple[str, ...]
    statuses: Mapping[str, str]
    users: int
    flags: tuple[str, ...]
    result_digest: str | None
    execution: Mapping[str, Any]
    sqls: tuple[str, ...] = ()


def rival_of(answer: Answer) -> Rival:
    """Return an answer as a person compares it with others."""
    first = next((claim for claim in answer.claims if claim.executed), answer.claims[0])
    return Rival(
        sql=answer.claims[0].sql,
        feedback_ids=tuple(claim.feedback_id for claim in answer.claims),
        statuses={claim.feedback_id: claim.status for claim in answer.claims},
        users=len(answer.users),
        flags=tuple(sorted({flag for claim in answer.claims for flag in claim.flags})),
        result_digest=first.result_digest,
        execution=dict(first.evidence),
        sqls=tuple(dict.fromkeys(claim.sql for claim in answer.claims if claim.sql is not None)),
    )


def rivals_of(store: Store, settings: Settings, claim: Claim, natural_query: str) -> tuple[Rival, ...]:
    """Return all answers to the question of ``claim``, its own among them; none where they do not differ.

    ``natural_query`` is the question as it came in.
    """
    database_id, question = claim.question
    candidates = questions_with(store, _STANDING, database_id, _telling_word(question, natural_query))
    statuses = {i: status for i, status, asked in candidates if canonical_question(asked) == question}
    statuses[claim.feedback_id] = claim.status
    found = conflicts(claims_by_id(store, settings, statuses))
    return tuple(rival_of(answer) for conflict in found for answer in conflict.rivals)


def _telling_word(question: str, natural_query: str) -> str:
    """Return a word that all who ask the same have written: it narrows the search, the canonical form decides."""
    written = natural_query.lower()
    return max((word for word in _WORDS.findall(question) if word in written), key=len, default="")
