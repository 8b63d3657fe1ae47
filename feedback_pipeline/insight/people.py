"""How many voices the feedback comes from, and how much work it makes for whom."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from feedback_pipeline.insight.classes import SizeClass, classes
from feedback_pipeline.insight.window import Window
from feedback_pipeline.review.agreement import Agreement
from feedback_pipeline.store.counting import people, statuses
from feedback_pipeline.store.counting.people import Decided
from feedback_pipeline.store.counting.scope import Scope
from feedback_pipeline.store.transitions import Status

_TOP_TENTH = 0.1
_NOTED = "noted"


@dataclass(frozen=True)
class Contributors:
    """How the feedback submitted in the window is spread over users.

    Attributes:
        users: distinct users.
        submissions: what they submitted.
        without_user: further feedback that names no user; no part of the shares.
        top_share: share of ``submissions`` by the most active user; None without any.
        top_tenth_share: by the most active tenth of the users, rounded up to a whole user.
        effective_users: Hill number of order 1, the exponential of Shannon's entropy (M. O. Hill, Diversity and
            Evenness: A Unifying Notation and Its Consequences, Ecology 54, 1973): so many users giving equally much
            would be as diverse.
        by_submissions: how many users submitted how much.

    """

    users: int
    submissions: int
    without_user: int
    top_share: float | None
    top_tenth_share: float | None
    effective_users: float | None
    by_submissions: list[SizeClass]


@dataclass(frozen=True)
class WeekLoad:
    """What somebody did in the week that begins on the Monday ``week``."""

    week: date
    verified: int
    rejected: int
    noted: int


@dataclass(frozen=True)
class Load:
    """What one actor did in the window: decisions, and words ``noted`` that alone decided nothing."""

    actor: str
    verified: int
    rejected: int
    noted: int
    weeks: list[WeekLoad]


@dataclass(frozen=True)
class Reviewing:
    """The work of reviewers, of what decides without a person (``automatic``), and what waits for them.

    ``oldest_waiting_at`` is when the pending feedback that has waited longest was submitted.
    """

    reviewers: list[Load]
    automatic: list[Load]
    waiting: int
    oldest_waiting_at: datetime | None
    agreement: Agreement


def count_contributors(session: Session, scope: Scope) -> Contributors:
    """Count who submitted feedback."""
    return diversity(*people.submissions_per_user(session, scope))


def diversity(users_by_submissions: Mapping[int, int], without_user: int = 0) -> Contributors:
    """Describe how feedback is spread; ``{3: 2}`` says that two users submitted three each."""
    users = sum(users_by_submissions.values())
    total = sum(number * count for number, count in users_by_submissions.items())
    if not total:
        return Contributors(0, 0, without_user, None, None, None, [])
    shares = [(number / total, count) for number, count in users_by_submissions.items()]
    entropy = -sum(count * share * math.log(share) for share, count in shares)
    return Contributors(
        users=users,
        submissions=total,
        without_user=without_user,
        top_share=max(users_by_submissions) / total,
        top_tenth_share=_of_most_active(users_by_submissions, math.ceil(users * _TOP_TENTH)) / total,
        effective_users=round(math.exp(entropy), 6),
        by_submissions=classes(users_by_submissions.items()),
    )


def _of_most_active(users_by_submissions: Mapping[int, int], wanted: int) -> int:
    given = 0
    for number in sorted(users_by_submissions, reverse=True):
        taken = min(wanted, users_by_submissions[number])
        given, wanted = given + taken * number, wanted - taken
    return given


def count_reviewing(session: Session, scope: Scope, window: Window, agreement: Agreement) -> Reviewing:
    """Count who decided in ``window``, and what waits now."""
    words = [word._replace(verdict=_NOTED) for word in people.noted_words(session, scope)]
    reviewers, automatic = loads([*people.decisions(session, scope), *words], window)
    waiting = statuses.standing_now(session, scope)[Status.PENDING]
    return Reviewing(reviewers, automatic, waiting, statuses.oldest_waiting(session, scope), agreement)


def loads(decided: Iterable[Decided], window: Window) -> tuple[list[Load], list[Load]]:
    """Return the load of each reviewer, and of each machine, whoever did most first."""
    by_actor: dict[str, dict[date, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for one in decided:
        by_actor[one.actor or "unknown"][window.week(one.day)][one.verdict] += one.number
    all_loads = [_load(actor, weeks, window) for actor, weeks in by_actor.items()]
    all_loads.sort(key=lambda load: (-(load.verified + load.rejected + load.noted), load.actor))
    return [load for load in all_loads if not is_machine(load.actor)], [o for o in all_loads if is_machine(o.actor)]


def is_machine(actor: str) -> bool:
    """Tell whether what ``actor`` does is done without a person."""
    return actor == "pipeline" or actor.startswith("policy:")


def _load(actor: str, weeks: Mapping[date, Counter[str]], window: Window) -> Load:
    known = [(week, weeks.get(week, Counter())) for week in window.weeks]
    total = sum((counts for _, counts in known), Counter())
    per_week = [WeekLoad(week, counts["verified"], counts["rejected"], counts[_NOTED]) for week, counts in known]
    return Load(actor, total["verified"], total["rejected"], total[_NOTED], per_week)
