from dataclasses import asdict
from datetime import date

import pytest

from feedback_pipeline.insight import utilisation
from feedback_pipeline.insight.people import diversity
from feedback_pipeline.store import Store
from feedback_pipeline_tests.insight.stories import NOW, ago, say, tell


def test_equal_voices_are_as_many_as_they_are() -> None:
    assert diversity({5: 8}).effective_users == pytest.approx(8)


def test_the_effective_number_of_unequal_voices_is_the_exponential_of_their_entropy() -> None:
    # Shares 1/2, 1/4, 1/4: entropy 3/2 ln 2.
    assert diversity({2: 1, 1: 2}).effective_users == pytest.approx(2**1.5)


def test_shares_of_the_most_active() -> None:
    spread = diversity({10: 1, 5: 1, 1: 13})

    assert (spread.users, spread.submissions) == (15, 28)
    assert spread.top_share == pytest.approx(10 / 28)
    assert spread.top_tenth_share == pytest.approx(15 / 28)  # a tenth of 15, rounded up: two users


def test_nobody_has_no_share() -> None:
    assert asdict(diversity({}, without_user=3)) == {
        "users": 0,
        "submissions": 0,
        "without_user": 3,
        "top_share": None,
        "top_tenth_share": None,
        "effective_users": None,
        "by_submissions": [],
    }


def test_contributors_are_the_distinct_users_of_the_window(store: Store) -> None:
    for user in ("ann", "ann", "bob", None):
        tell(store, ("submitted", 3), user=user)
    tell(store, ("submitted", 300), user="carl")

    people = utilisation(store, now=NOW, days=7).contributors

    assert (people.users, people.submissions, people.without_user) == (2, 3, 1)


def test_decisions_are_counted_for_each_reviewer_and_week_machines_apart(store: Store) -> None:
    tell(store, ("submitted", 99), ("verified", 64, "ada"), ("applied", 60, "pipeline"))
    tell(store, ("submitted", 99), ("rejected", 62, "ada"))
    tell(store, ("submitted", 99), ("verified", 62, "grace"))
    tell(store, ("submitted", 99), ("verified", 62, "policy:consensus"))

    work = utilisation(store, now=NOW, days=10).reviewing

    assert [(load.actor, load.verified, load.rejected) for load in work.reviewers] == [("ada", 1, 1), ("grace", 1, 0)]
    assert [(week.week, week.verified, week.rejected) for week in work.reviewers[0].weeks] == [
        (date(2026, 3, 9), 1, 0),
        (date(2026, 3, 16), 0, 1),
    ]
    assert [(load.actor, load.verified) for load in work.automatic] == [("policy:consensus", 1)]


def test_a_word_that_decided_nothing_is_work_too_and_one_that_decided_counts_once(store: Store) -> None:
    decided = tell(store, ("submitted", 20), ("verified", 5, "grace"))
    say(store, decided, "ada", "verified", 6)
    say(store, decided, "grace", "verified", 5)

    loads = {load.actor: load for load in utilisation(store, now=NOW).reviewing.reviewers}

    assert (loads["ada"].verified, loads["ada"].noted) == (0, 1)
    assert (loads["grace"].verified, loads["grace"].noted) == (1, 0)


def test_what_waits_and_since_when(store: Store) -> None:
    tell(store, ("submitted", 50), ("rejected", 40))
    tell(store, ("submitted", 30))
    tell(store, ("submitted", 10))

    work = utilisation(store, now=NOW, days=1).reviewing

    assert (work.waiting, work.oldest_waiting_at) == (2, ago(30))


def test_agreement_of_reviewers_who_judged_the_same(store: Store) -> None:
    same, different = tell(store, ("submitted", 9)), tell(store, ("submitted", 9))
    for feedback_id, verdicts in ((same, ("verified", "verified")), (different, ("verified", "rejected"))):
        for reviewer, verdict in zip(("ada", "grace"), verdicts, strict=True):
            say(store, feedback_id, reviewer, verdict, 5)

    agreed = utilisation(store, now=NOW).reviewing.agreement

    assert (agreed.items, agreed.pairs, agreed.share) == (2, 2, 0.5)
