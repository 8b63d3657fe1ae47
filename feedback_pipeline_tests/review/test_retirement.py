"""Proposals to retire examples: who sees them, what keeping does, and when they come back."""

from typing import Any

import pytest
from sqlalchemy import delete

from feedback_pipeline.insight.retirement import says_more
from feedback_pipeline.review.item import open_item
from feedback_pipeline.review.queue import QueueFilter, queue_counts, queue_page
from feedback_pipeline.review.retirement import keep
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Status, Store, decide
from feedback_pipeline.store.example_sources import note_sources
from feedback_pipeline.store.models import FeedbackRow, RetirementProposalRow
from feedback_pipeline.store.reservations import reserve
from feedback_pipeline.store.retirements import Renewal, renew
from feedback_pipeline_tests.store.samples import submit, submit_as


def evidence(judged_without: int = 20, **changes: Any) -> dict[str, Any]:
    found = {
        "judged_with": 10 * judged_without,
        "good_with": judged_without,
        "judged_without": judged_without,
        "good_without": judged_without,
        "lift": -0.9,
        "low": -0.95,
        "high": -0.5,
        "certainty": 0.99,
    }
    return {**found, **changes}


def propose(store: Store, **harmful: dict[str, Any]) -> Renewal:
    return renew(store, harmful, is_new=says_more)


@pytest.fixture
def applied(store: Store) -> str:
    """An applied feedback behind the example ``e1``."""
    feedback_id = submit_as(store, Status.APPLIED)
    note_sources(store, [("e1", feedback_id)])
    return feedback_id


def proposed(store: Store, **wanted: Any) -> list[str]:
    page = queue_page(store, QueueFilter(**{"status": "applied", "retirement": True, **wanted}))
    return [item.feedback_id for item in page.items]


def test_a_proposal_shows_at_the_feedback_in_use_behind_the_example(store: Store, applied: str) -> None:
    taken_back = submit_as(store, Status.REJECTED, "k2")
    other = submit_as(store, Status.APPLIED, "k3")
    note_sources(store, [("e1", taken_back), ("e2", other)])

    propose(store, e1=evidence())

    assert proposed(store) == [applied]
    assert proposed(store, retirement=False) == [other]
    assert queue_counts(store, QueueFilter()).for_retirement == 1
    [item] = queue_page(store, QueueFilter(status="applied", retirement=True)).items
    assert [(one.example_id, one.evidence["lift"]) for one in item.retirements] == [("e1", -0.9)]
    assert queue_page(store, QueueFilter(status="rejected")).items[0].retirements == ()


def test_a_reviewer_of_other_databases_sees_none(store: Store, applied: str) -> None:
    propose(store, e1=evidence())

    assert proposed(store, databases=frozenset({"shop"})) == []
    assert queue_counts(store, QueueFilter(databases=frozenset({"shop"}))).for_retirement == 0
    assert queue_counts(store, QueueFilter(database_id="geo")).for_retirement == 1


def test_rejecting_the_feedback_ends_the_matter(store: Store, applied: str) -> None:
    propose(store, e1=evidence())

    decide(store, [applied], "rejected", actor="rae", reason="it misleads")

    assert proposed(store) == []
    assert propose(store) == Renewal((), 0, 1)


def test_all_who_stand_behind_an_example_are_named(store: Store, store_settings: Settings, applied: str) -> None:
    second = submit_as(store, Status.APPLIED, "k2")
    note_sources(store, [("e1", second)])
    propose(store, e1=evidence())

    assert sorted(proposed(store)) == sorted([applied, second])
    assert open_item(store, store_settings, applied).beside == (second,)


def test_what_is_kept_comes_back_only_with_new_evidence(store: Store, applied: str) -> None:
    propose(store, e1=evidence(20))

    [kept] = keep(store, [applied], reviewer="rae", reason="the users were wrong")

    assert (kept.outcome, kept.status) == ("done", "applied")
    assert proposed(store) == []
    assert propose(store, e1=evidence(29)) == Renewal((), 0, 0)
    assert propose(store) == Renewal((), 0, 0)
    assert proposed(store) == []
    assert propose(store, e1=evidence(30)) == Renewal(("e1",), 1, 0)
    assert proposed(store) == [applied]


def test_who_kept_it_and_why_is_remembered(store: Store, applied: str) -> None:
    propose(store, e1=evidence())

    keep(store, [applied], reviewer="rae", reason=" the users were wrong ")

    with store.read() as session:
        row = session.get_one(RetirementProposalRow, "e1")
        assert (row.kept_by, row.kept_reason) == ("rae", "the users were wrong")
        assert row.kept_at is not None


def test_the_evidence_of_an_open_proposal_follows_what_is_measured(store: Store, applied: str) -> None:
    propose(store, e1=evidence(20))

    assert propose(store, e1=evidence(25)) == Renewal((), 1, 0)

    [item] = queue_page(store, QueueFilter(status="applied", retirement=True)).items
    assert item.retirements[0].evidence["judged_without"] == 25


def test_a_proposal_that_is_not_borne_out_any_more_is_dropped(store: Store, applied: str) -> None:
    propose(store, e1=evidence())

    assert propose(store) == Renewal((), 0, 1)
    assert proposed(store) == []


def test_nothing_is_remembered_of_what_was_erased(store: Store, applied: str) -> None:
    propose(store, e1=evidence())
    keep(store, [applied], reviewer="rae")
    with store.begin() as session:
        session.execute(delete(FeedbackRow).where(FeedbackRow.feedback_id == applied))

    propose(store)

    with store.read() as session:
        assert session.get(RetirementProposalRow, "e1") is None


def test_only_what_is_proposed_can_be_kept(store: Store, applied: str) -> None:
    [waiting] = submit(store, "k9")

    answers = keep(store, [applied, waiting, "unknown", applied], reviewer="rae")

    assert [(one.outcome, one.code) for one in answers] == [
        ("refused", "not_proposed"),
        ("refused", "not_proposed"),
        ("unknown", None),
    ]


def test_what_another_reviewer_has_is_not_kept(store: Store, applied: str) -> None:
    propose(store, e1=evidence())
    reserve(store, applied, "ada", minutes=5)

    [refused] = keep(store, [applied], reviewer="rae")
    [done] = keep(store, [applied], reviewer="ada")

    assert (refused.outcome, refused.code, done.outcome) == ("reserved", "reserved", "done")
