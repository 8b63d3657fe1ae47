"""What reviewers decide reaches the index and the dataset, on whatever day it was decided."""

import datetime

import pytest

from feedback_pipeline.defs.launch import NIGHTLY
from feedback_pipeline.store import register_database
from feedback_pipeline_tests.defs.conftest import DDL
from feedback_pipeline_tests.defs.pipeline import TODAY, YESTERDAY, Pipeline, correction

QUESTION = "how many rivers cross state number 1"


def taught(pipeline: Pipeline) -> set[str]:
    return {
        feedback_id for row in pipeline.stage("deduped_feedback")["feedback_ids"].to_pylist() for feedback_id in row
    }


def test_verified_later_becomes_retrievable_and_applied(learned: Pipeline, ids: list[str]) -> None:
    assert learned.status(ids[2]) == "pending"

    learned.decide(ids[2:], "verified")
    learned.run()

    assert {learned.status(feedback_id) for feedback_id in ids} == {"applied"}
    assert learned.similar("how many rivers cross state number 3")[0].feedback_id == ids[2]
    assert (learned.live().version, learned.live().rows, learned.latest().version) == (2, 3, 2)


@pytest.mark.parametrize("event", ["rejected", "withdrawn", "superseded"])
def test_what_is_taken_back_leaves_index_and_dataset(learned: Pipeline, ids: list[str], event: str) -> None:
    learned.decide(ids[:1], event)
    learned.run()

    assert learned.status(ids[0]) == event
    assert [example.feedback_id for example in learned.similar(QUESTION)] == [ids[1]]
    assert (learned.latest().version, sum(learned.latest().rows.values())) == (2, 1)
    assert taught(learned) == {ids[1]}


def test_everything_taken_back_is_an_empty_index_and_an_empty_version(learned: Pipeline, ids: list[str]) -> None:
    learned.decide(ids[:2], "rejected")
    learned.run()

    assert learned.similar(QUESTION) == []
    assert (learned.live().rows, sum(learned.latest().rows.values())) == (0, 0)


def test_of_two_rivals_both_are_set_aside(learned: Pipeline, ids: list[str]) -> None:
    [rival] = learned.submit(correction(1, "SELECT 42", client_key="rival", user_id="bob"))
    learned.decide([rival], "verified")
    learned.run()

    assert {learned.dropped("deduped_feedback")[i] for i in (ids[0], rival)} == {"conflict"}
    assert (learned.status(ids[0]), learned.status(rival)) == ("verified", "verified")
    assert learned.events(ids[0])[-1] == "set_aside"
    assert taught(learned) == {ids[1]}


def test_the_rival_that_is_left_is_applied_again(learned: Pipeline, ids: list[str]) -> None:
    [rival] = learned.submit(correction(1, "SELECT 42", client_key="rival", user_id="bob"))
    learned.decide([rival], "verified")
    learned.run()
    learned.decide([rival], "rejected")
    learned.run()

    assert learned.status(ids[0]) == "applied"
    assert learned.events(ids[0])[-3:] == ["applied", "set_aside", "applied"]


def test_missed_days_are_caught_up_by_one_nightly_run(pipeline: Pipeline) -> None:
    earlier = TODAY - datetime.timedelta(days=3)
    ids = pipeline.submit(correction(1), correction(2), day=earlier)
    pipeline.decide(ids, "verified", YESTERDAY)

    outcome = pipeline.run(NIGHTLY)

    assert outcome.days == [earlier.isoformat(), YESTERDAY.isoformat()]
    assert {pipeline.status(feedback_id) for feedback_id in ids} == {"applied"}
    assert pipeline.stage("raw_feedback", earlier.isoformat())["event"].to_pylist() == ["submitted"] * 2
    assert pipeline.feedback.stale_feedback_days() == []


def test_a_database_registered_later_is_checked_against(pipeline: Pipeline) -> None:
    ids = pipeline.submit(correction(1), correction(2, "SELECT count(*) FROM lake"), day=YESTERDAY)
    pipeline.decide(ids, "verified", YESTERDAY)
    pipeline.run()
    assert pipeline.live().rows == 2

    register_database(pipeline.store, "geo", "sqlite", ddl=DDL)
    assert pipeline.feedback.stale_feedback_days() == [YESTERDAY.isoformat()]
    pipeline.run()

    assert pipeline.dropped("verified_feedback") == {ids[1]: "failed check: names_resolve"}
    assert [pipeline.status(feedback_id) for feedback_id in ids] == ["applied", "verified"]
    assert pipeline.events(ids[1])[-1] == "set_aside"
    assert taught(pipeline) == {ids[0]}


def test_an_old_day_made_again_is_the_same(pipeline: Pipeline) -> None:
    ids = pipeline.submit(correction(1), correction(2), correction(3), day=YESTERDAY)
    pipeline.decide(ids[:2], "verified", YESTERDAY)
    pipeline.run()
    before, events = pipeline.digests(), pipeline.event_count()
    for stage in ("raw_feedback", "checked_feedback"):
        (pipeline.root / "tables" / stage / YESTERDAY.isoformat() / "current.json").unlink()

    assert pipeline.run().days == [YESTERDAY.isoformat()]

    assert pipeline.digests() == before
    assert pipeline.event_count() == events
