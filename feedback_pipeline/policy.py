"""Decisions about many feedbacks at once: brings together ``curation`` (the rules) and ``store`` (who decided what).

What waits is checked first; then the rules look at it beside everything else that is claimed about the same questions.
Every decision is a compare-and-set on ``pending``: whoever else decides meanwhile is not overruled.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta

from feedback_pipeline.checking import ExecutingChecker, check_and_record, check_anew, checker_from
from feedback_pipeline.curation.bursts import bursting
from feedback_pipeline.curation.conflicts import Claim, Conflict, Question, claims_of, conflicts
from feedback_pipeline.curation.consensus import BulkSelection, find_consensus, select_passing
from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Decision, Status, Store, decide, ids_by_status, stored_submissions
from feedback_pipeline.store.decisions import Permit
from feedback_pipeline.store.lookups import batches
from feedback_pipeline.store.queries import (
    Outline,
    checks_keys,
    outlines,
    reopened_ids,
    submissions_around_pending,
)

CONSENSUS_ACTOR = "policy:consensus"

CHECKED_TOGETHER = 5_000
DECIDED_TOGETHER = 500
"""Small transactions: nobody else waits long for their turn, and a break loses little."""

_REOPENED = "reopened by a person"
_IN_USE = (Status.VERIFIED, Status.APPLIED)

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how much of how many is."""


def silently(_what: str, _done: int, _total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class ConsensusReport:
    """What a consensus has verified, and how many pending feedbacks were left for which reason."""

    verified: list[str] = field(default_factory=list)
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class BulkReport:
    """What verifying in bulk came to.

    ``decisions`` are empty in a dry run; ``selected`` is what was, or would have been, decided; ``left_out`` holds the
    reason for every other pending feedback, ``not_run`` are those selected whose answer could not be run.
    """

    selected: tuple[str, ...]
    decisions: list[Decision]
    left_out: Mapping[str, str]
    not_run: frozenset[str] = frozenset()


def apply_consensus(store: Store, settings: Settings) -> ConsensusReport:
    """Verify what enough distinct users agree on, where the settings ask for it; again finds nothing more to do.

    What a person has reopened waits for a person.
    Raises StoreUnavailableError.
    """
    if settings.auto_verify != "consensus":
        return ConsensusReport()
    claims = pending_and_rivals(store, settings)
    consensus = find_consensus(
        claims, users=settings.consensus_users, min_rating=settings.min_rating, bursts=bursting_ids(store, settings)
    )
    left_out = Counter(consensus.left_out.values())
    reopened = reopened_ids(store)
    by_users: dict[int, list[str]] = defaultdict(list)
    for agreement in consensus.agreements:
        by_users[agreement.users] += [i for i in agreement.feedback_ids if i not in reopened]
        left_out[_REOPENED] += sum(i in reopened for i in agreement.feedback_ids)
    decisions: list[Decision] = []
    for users, feedback_ids in sorted(by_users.items()):
        decisions += _verified(store, feedback_ids, CONSENSUS_ACTOR, f"{users} distinct users agree")
    verified = [decision.feedback_id for decision in decisions if decision.outcome == "done"]
    return ConsensusReport(verified, dict(sorted((+left_out).items())))


def verify_passing(
    store: Store,
    settings: Settings,
    *,
    actor: str,
    reason: str,
    database_id: str | None = None,
    include_flagged: bool = False,
    only: Iterable[str] | None = None,
    dry_run: bool = False,
    permit: Permit | None = None,
    progress: Progress = silently,
) -> BulkReport:
    """Verify all pending feedback that passes the checks and that nothing speaks against (``consensus``).

    With ``only`` just what is pending of these ids. ``permit`` has the last word on each (store.Permit). A dry run
    decides nothing; the evidence of checks made on the way is stored all the same. Raises StoreUnavailableError.
    """
    chosen = None if only is None else ids_by_status(store, Status.PENDING, database_id=database_id) & set(only)
    if chosen is None:
        claims = pending_and_rivals(store, settings, database_id=database_id, progress=progress)
    else:
        claims = chosen_and_rivals(store, settings, chosen, progress=progress)
    selection = select_passing(
        claims,
        min_rating=settings.min_rating,
        bursts=bursting_ids(store, settings),
        include_flagged=include_flagged,
        max_user_share=settings.max_user_share,
    )
    selection = selection if chosen is None else _of(selection, chosen)
    decisions = [] if dry_run else _verified(store, selection.passing, actor, reason, progress, permit)
    return BulkReport(selection.passing, decisions, selection.left_out, selection.not_run)


def _of(selection: BulkSelection, chosen: Set[str]) -> BulkSelection:
    """Leave out what was looked at only because it contradicts, or agrees with, what was chosen."""
    return BulkSelection(
        tuple(feedback_id for feedback_id in selection.passing if feedback_id in chosen),
        {feedback_id: reason for feedback_id, reason in selection.left_out.items() if feedback_id in chosen},
        selection.not_run & chosen,
    )


def _verified(
    store: Store,
    feedback_ids: Iterable[str],
    actor: str,
    reason: str,
    progress: Progress = silently,
    permit: Permit | None = None,
) -> list[Decision]:
    ids = sorted(feedback_ids)
    decisions: list[Decision] = []
    for some in batches(ids, DECIDED_TOGETHER):
        decisions += decide(store, some, "verified", actor=actor, reason=reason, expected=Status.PENDING, permit=permit)
        progress("deciding", len(decisions), len(ids))
    return decisions


def bursting_ids(store: Store, settings: Settings) -> set[str]:
    """Return the ids of feedback that is part of a burst, looking at users who have pending feedback."""
    window = timedelta(minutes=settings.burst_minutes)
    return bursting(
        submissions_around_pending(store, window),
        submissions=settings.burst_submissions,
        minutes=settings.burst_minutes,
    )


def pending_and_rivals(
    store: Store, settings: Settings, *, database_id: str | None = None, progress: Progress = silently
) -> list[Claim]:
    """Return all pending claims, checked, and those verified, applied or rejected about the same questions.

    Of decided feedback only the outlines of databases with pending feedback are read, and whole only what it takes.
    """
    pending = _pending(store, settings, database_id, progress)
    questions = {claim.question for claim in pending}
    databases = sorted({database for database, _ in questions})
    decided = outlines(store, (*_IN_USE, Status.REJECTED), database_ids=databases)
    beside = [outline for outline in decided if _question(outline) in questions]
    return pending + claims_by_id(store, settings, {o.feedback_id: o.status for o in beside})


def chosen_and_rivals(
    store: Store, settings: Settings, chosen: Set[str], *, progress: Progress = silently
) -> list[Claim]:
    """Return pending claims, checked, and all others about the same questions: waiting, in use or rejected."""
    claims = claims_by_id(store, settings, dict.fromkeys(chosen, Status.PENDING.value), progress)
    questions = {claim.question for claim in claims}
    others = outlines(
        store, (Status.PENDING, *_IN_USE, Status.REJECTED), database_ids=sorted({database for database, _ in questions})
    )
    beside = [outline for outline in others if outline.feedback_id not in chosen and _question(outline) in questions]
    return claims + claims_by_id(store, settings, {o.feedback_id: o.status for o in beside})


def renew_rivals(store: Store, settings: Settings, *, database_id: str | None = None) -> int:
    """Run rival answers in use again, side by side, and return how many feedbacks now have other evidence.

    What was run at different times saw different data, so only evidence of one moment tells whether answers differ.
    """
    by_question = _by_question(store, _IN_USE, database_id)
    rivals = (some for some in by_question.values() if _may_differ(some) and not _gave_the_same(some))
    ids = sorted(outline.feedback_id for some in rivals for outline in some)
    checker = checker_from(store, settings)
    return sum(check_anew(store, stored_submissions(store, some), checker) for some in batches(ids, CHECKED_TOGETHER))


def open_conflicts(
    store: Store, settings: Settings, *, database_id: str | None = None, progress: Progress = silently
) -> list[Conflict]:
    """Return the questions whose answers differ, among what is pending (checked first), verified and applied."""
    check_waiting(store, checker_from(store, settings), database_id=database_id, progress=progress)
    return known_conflicts(store, settings, database_id=database_id)


def known_conflicts(store: Store, settings: Settings, *, database_id: str | None = None) -> list[Conflict]:
    """Return the same from the evidence that is there: what has not been checked yet is not seen."""
    by_question = _by_question(store, (Status.PENDING, *_IN_USE), database_id)
    doubtful = [outline for some in by_question.values() if _may_differ(some) for outline in some]
    return conflicts(claims_by_id(store, settings, {o.feedback_id: o.status for o in doubtful}))


def check_waiting(
    store: Store,
    checker: ExecutingChecker,
    *,
    database_id: str | None = None,
    progress: Progress = silently,
) -> int:
    """Check all pending feedback that has no verdict of today, in rounds, and return how much that was."""
    return check_ids(store, checker, waiting_unchecked(store, checker, database_id=database_id), progress=progress)


def waiting_unchecked(store: Store, checker: ExecutingChecker, *, database_id: str | None = None) -> list[str]:
    """Return the ids of pending feedback without a verdict of today, latest first."""
    stored = checks_keys(store, Status.PENDING, database_id=database_id)
    return sorted((i for i, database, key in stored if key != checker.facts(database).checks_key), reverse=True)


def check_ids(
    store: Store, checker: ExecutingChecker, feedback_ids: Sequence[str], *, progress: Progress = silently
) -> int:
    """Check those of ``feedback_ids`` that are pending, in rounds; return how many were looked at."""
    done = 0
    for ids in batches(feedback_ids, CHECKED_TOGETHER):
        done += check_and_record(store, stored_submissions(store, ids, status=Status.PENDING), checker).num_rows
        progress("checking", done, len(feedback_ids))
    return done


def _by_question(store: Store, statuses: Iterable[Status], database_id: str | None) -> dict[Question, list[Outline]]:
    by_question: dict[Question, list[Outline]] = defaultdict(list)
    for outline in outlines(store, statuses, database_ids=None if database_id is None else [database_id]):
        by_question[_question(outline)].append(outline)
    return by_question


def _may_differ(about_one_question: list[Outline]) -> bool:
    texts = {outline.canonical_sql for outline in about_one_question}
    return len(texts) > 1 or (None in texts and len(about_one_question) > 1)


def _gave_the_same(about_one_question: list[Outline]) -> bool:
    digests = {outline.result_digest for outline in about_one_question}
    return len(digests) == 1 and None not in digests


def _question(outline: Outline) -> Question:
    return outline.database_id, canonical_question(outline.question)


def _pending(store: Store, settings: Settings, database_id: str | None, progress: Progress) -> list[Claim]:
    ids = ids_by_status(store, Status.PENDING, database_id=database_id)
    return claims_by_id(store, settings, dict.fromkeys(ids, Status.PENDING.value), progress)


def claims_by_id(
    store: Store, settings: Settings, statuses: Mapping[str, str], progress: Progress = silently
) -> list[Claim]:
    """Return feedback as claims, checked where the stored verdict is missing or out of date, in rounds.

    ``statuses`` holds the status of each by its id.
    """
    checker = checker_from(store, settings)
    claims: list[Claim] = []
    for done, ids in enumerate(batches(sorted(statuses), CHECKED_TOGETHER), start=1):
        checked = check_and_record(store, stored_submissions(store, ids), checker)
        claims += claims_of(checked, statuses)
        progress("checking", min(done * CHECKED_TOGETHER, len(statuses)), len(statuses))
    return claims
