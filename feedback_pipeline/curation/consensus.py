"""Decisions that need no reviewer's judgement of each case: what enough users agree on, and what may pass in bulk.

Both look at the same claims (``conflicts``) and leave out the same dangers, each with its reason. Nothing is decided
here; ``policy`` has the store do that.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass

from feedback_pipeline.curation.conflicts import Answer, Claim, answers_by_question

FLAGGED, BURST, NOT_EXECUTED = "flagged", "burst", "not executed"
REJECTED_BEFORE, CONFLICT, TOO_FEW_USERS = "rejected before", "conflict", "too few users"
FAILED = "failed check: "
"""Begins the reason of what fails a check; its name follows."""

USER_SHARE = "too much from one user"

CROWD = 50
"""Feedback of one user below this number crowds nobody out, whatever its share."""

_PENDING = "pending"


@dataclass(frozen=True)
class Agreement:
    """Pending feedback that ``users`` distinct users agree on: one answer to one question."""

    feedback_ids: tuple[str, ...]
    users: int


@dataclass(frozen=True)
class Consensus:
    """What may be verified because users agree, and the reason for every other pending feedback."""

    agreements: tuple[Agreement, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class BulkSelection:
    """Pending feedback that may be verified in one go, and the reason for all other.

    ``not_run`` are those of ``passing`` whose answer was not run, for want of a database: only their SQL was read.
    """

    passing: tuple[str, ...]
    left_out: Mapping[str, str]
    not_run: frozenset[str] = frozenset()


def find_consensus(
    claims: Iterable[Claim], *, users: int, min_rating: int, bursts: Set[str] = frozenset()
) -> Consensus:
    """Return which pending claims enough users agree on.

    A claim counts, and can be verified, when it passes the checks, its answer ran, nothing about it is flagged, it is
    part of no burst and not rated low. ``users`` distinct users have to give the same query (canonical SQL); those in
    use count too. Another query with the same rows adds no voice, since rows can be equal by accident. A rival answer
    that stands prevents it, and so does a reviewer's rejection of the same answer.

    Args:
        claims: all claims about the questions at hand: pending, verified, applied and rejected.
        users: distinct users needed.
        min_rating: a claim that carries a rating (1-5) needs at least this one.
        bursts: ids of feedback that is part of a burst.
    """

    def own_reason(claim: Claim) -> str | None:
        reason = _danger(claim, min_rating, bursts)
        return reason or (None if claim.executed else NOT_EXECUTED)

    claims = list(claims)
    agreements, left_out = [], _unread(claims)
    for answers in answers_by_question(claims).values():
        for answer in answers:
            for spelling in _spellings(answer):
                agreement, reasons = _agreement(spelling, _common_reason(answer, answers), users, own_reason)
                agreements += [agreement] if agreement else []
                left_out.update(reasons)
    return Consensus(tuple(agreements), left_out)


def _spellings(answer: Answer) -> list[Answer]:
    """Return the queries that make up an answer, each with those who give it."""
    by_sql: dict[str | None, list[Claim]] = defaultdict(list)
    for claim in answer.claims:
        by_sql[claim.canonical_sql].append(claim)
    return [Answer(tuple(claims)) for claims in by_sql.values()]


def _agreement(
    answer: Answer, against: str | None, users: int, own_reason: Callable[[Claim], str | None]
) -> tuple[Agreement | None, dict[str, str]]:
    reasons = {claim.feedback_id: own_reason(claim) for claim in answer.claims}
    counted = Answer(tuple(claim for claim in answer.claims if reasons[claim.feedback_id] is None))
    common = against or (TOO_FEW_USERS if len(_in_favour(counted)) < users else None)
    pending = [claim.feedback_id for claim in answer.claims if claim.status == _PENDING]
    left_out = {feedback_id: reason for feedback_id in pending if (reason := reasons[feedback_id] or common)}
    agreed = tuple(feedback_id for feedback_id in pending if feedback_id not in left_out)
    return (Agreement(agreed, len(_in_favour(counted))) if agreed else None), left_out


def _in_favour(counted: Answer) -> frozenset[str]:
    return Answer(tuple(claim for claim in counted.claims if claim.stands)).users


def select_passing(
    claims: Iterable[Claim],
    *,
    min_rating: int,
    bursts: Set[str] = frozenset(),
    include_flagged: bool = False,
    max_user_share: float = 1.0,
) -> BulkSelection:
    """Return which pending claims pass everything that can be told without a person.

    Left out are failed checks, what is rated too low to be learned from, what is flagged, part of a burst or given by a
    user who gave too much of it all (unless ``include_flagged``), answers that a reviewer has rejected before, and
    questions whose standing answers differ. Whether SQL could be run makes no difference. Arguments are those of
    ``find_consensus``; ``max_user_share`` is the largest share of what passes that one user may have given.
    """
    claims = list(claims)
    passing: list[Claim] = []
    left_out = _unread(claims)
    for answers in answers_by_question(claims).values():
        for answer in answers:
            common = _common_reason(answer, answers)
            for claim in (claim for claim in answer.claims if claim.status == _PENDING):
                reason = _danger(claim, min_rating, bursts, include_flagged=include_flagged) or common
                if reason is None:
                    passing.append(claim)
                else:
                    left_out[claim.feedback_id] = reason
    if not include_flagged:
        crowding = _crowding_users(passing, max_user_share)
        left_out |= {claim.feedback_id: USER_SHARE for claim in passing if claim.user_hash in crowding}
        passing = [claim for claim in passing if claim.user_hash not in crowding]
    not_run = frozenset(claim.feedback_id for claim in passing if not claim.executed)
    return BulkSelection(tuple(claim.feedback_id for claim in passing), left_out, not_run)


def _crowding_users(passing: list[Claim], max_user_share: float) -> set[str]:
    """Return the users who gave too much of what passes: spread over weeks, a flood is no burst."""
    counts = Counter(claim.user_hash for claim in passing if claim.user_hash is not None)
    return {user for user, count in counts.items() if count >= CROWD and count > max_user_share * len(passing)}


def _danger(claim: Claim, min_rating: int, bursts: Set[str], *, include_flagged: bool = False) -> str | None:
    """Return why one claim should not be verified without a person having looked at it."""
    if not claim.passed:
        return _failure(claim)
    if claim.flags and not include_flagged:
        return FLAGGED
    if claim.feedback_id in bursts and not include_flagged:
        return BURST
    return f"rating below {min_rating}" if claim.rating is not None and claim.rating < min_rating else None


def _common_reason(answer: Answer, answers: list[Answer]) -> str | None:
    """Return what stands against an answer, whoever gives it."""
    if answer.was_rejected:
        return REJECTED_BEFORE
    return CONFLICT if any(other.stands for other in answers if other is not answer) else None


def _unread(claims: list[Claim]) -> dict[str, str]:
    """Return the reason for pending claims that are no answer at all, since their SQL could not be read."""
    return {c.feedback_id: _failure(c) for c in claims if c.canonical_sql is None and c.status == _PENDING}


def _failure(claim: Claim) -> str:
    return f"{FAILED}{claim.failed_check or 'parses'}"
