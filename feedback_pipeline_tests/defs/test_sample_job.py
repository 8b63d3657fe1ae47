"""The whole job on the sample data: the numbers and special cases that data/samples/README.md promises."""

from collections import Counter

import pytest

from feedback_pipeline.defs.launch import NIGHTLY, PROMOTE
from feedback_pipeline.store import count_by_status
from feedback_pipeline_tests.defs.pipeline import Pipeline

FAILED = {
    **dict.fromkeys(["c159", "c401"], "parses"),
    **dict.fromkeys(["c004", "c346", "c046", "c217"], "names_resolve"),
    **dict.fromkeys(["c308", "c312"], "read_only"),
}
UNSURE = ["c038", "c229", "c253", "c317", "c353"]
SAME = [
    "c033 c043 c098",
    "c042 c070 c088",
    "c082 c089",
    "c356 c379",
    "c075 c090",
    "c081 c096",
    "c274 c275",
    "c265 c276 c305",
    "c240 c267",
    "c343 c369",
    "c349 c370",
    "c381 c398",
    "c185 c236 c257",
    "c211 c266",
    "c245 c277 c301",
    "c009 c083",
    "c189 c261",
    "c224 c273",
    "c344 c393",
    "c320 c321 c322 c323 c324 c325",
]
NEVER_MERGED = [("c033", "c238"), ("c085", "c066", "c053"), ("c130", "c132"), ("c184", "c143")]


def examples_by_key(samples: Pipeline) -> dict[str, dict]:
    keys = {feedback_id: key for key, feedback_id in samples.ids().items()}
    rows = samples.stage("deduped_feedback").to_pylist()
    return {keys[feedback_id]: row for row in rows for feedback_id in row["feedback_ids"]}


def test_the_numbers_per_stage(samples: Pipeline) -> None:
    statuses = count_by_status(samples.store)
    [day] = samples.tables.partitions("checked_feedback")

    assert samples.stage("checked_feedback", day).num_rows == 404
    assert samples.stage("verified_feedback").num_rows == 391
    assert samples.stage("deduped_feedback").num_rows == samples.stage("embedded_feedback").num_rows == 360
    assert (samples.live().rows, sum(samples.latest().rows.values())) == (360, 360)
    assert Counter(samples.dropped("verified_feedback").values()) == {"pending": 8, "rating below 4": 5}
    assert Counter(samples.dropped("deduped_feedback").values()) == {"duplicate": 29, "conflict": 2}
    assert (statuses["pending"], statuses["verified"], statuses["applied"]) == (8, 7, 389)


def test_what_fails_the_checks_stays_pending(samples: Pipeline) -> None:
    [day] = samples.tables.partitions("checked_feedback")
    checked = samples.stage("checked_feedback", day)
    found = dict(zip(checked["feedback_id"].to_pylist(), checked["failed_check"].to_pylist(), strict=True))
    ids = samples.ids()

    assert {key: found[ids[key]] for key in ids if found[ids[key]]} == FAILED
    assert {samples.status(ids[key]) for key in FAILED} == {"pending"}


def test_unsure_users_and_conflicting_answers_teach_nothing(samples: Pipeline) -> None:
    ids, taught = samples.ids(), examples_by_key(samples)

    assert {samples.dropped("verified_feedback")[ids[key]] for key in UNSURE} == {"rating below 4"}
    assert {samples.dropped("deduped_feedback")[ids[key]] for key in ("c078", "c177")} == {"conflict"}
    assert not {*UNSURE, "c078", "c177", *FAILED} & taught.keys()
    assert {samples.status(ids[key]) for key in [*UNSURE, "c078", "c177"]} == {"verified"}


@pytest.mark.parametrize("group", SAME)
def test_repeats_become_one_example(sample_rows: dict[str, dict], group: str) -> None:
    assert len({sample_rows[key]["example_id"] for key in group.split()}) == 1


def test_a_flood_from_one_account_weighs_one(samples: Pipeline) -> None:
    taught = examples_by_key(samples)

    assert (taught["c320"]["weight"], len(taught["c320"]["feedback_ids"])) == (1, 6)
    assert taught["c245"]["weight"] == 3


def test_near_misses_are_never_merged(samples: Pipeline) -> None:
    taught = examples_by_key(samples)

    for keys in NEVER_MERGED:
        assert len({taught[key]["example_id"] for key in keys}) == len(keys)
        assert len({taught[key]["cluster_id"] for key in keys}) == 1


def test_fences_are_removed_and_noops_confirm(samples: Pipeline) -> None:
    taught = examples_by_key(samples)

    assert all(taught[key]["sql"].startswith("SELECT") for key in ("c161", "c233"))
    assert taught["c249"]["generated_sql"] is None


def test_other_languages_and_personal_comments_are_kept_apart(samples: Pipeline) -> None:
    taught = examples_by_key(samples)

    assert all(key in taught for key in ("c005", "c079", "c158", "c008"))
    assert "comment" not in samples.stage("deduped_feedback").column_names


@pytest.mark.parametrize("job", [NIGHTLY, PROMOTE])
def test_a_second_run_changes_nothing_at_all(samples: Pipeline, job: str) -> None:
    before = (samples.digests(), samples.live(), samples.latest(), samples.event_count())

    samples.run(job)

    assert (samples.digests(), samples.live(), samples.latest(), samples.event_count()) == before
    assert samples.feedback.releases.versions("text2sql") == [1]


def test_an_agent_is_given_what_was_learned(samples: Pipeline) -> None:
    best = samples.similar("How many orders went to Berlin in total?", "shop")[0]

    assert best.natural_query == "How many orders were shipped to Berlin?"
    assert "'Berlin'" in best.sql
    assert best.source == "sample"


@pytest.fixture
def sample_rows(samples: Pipeline) -> dict[str, dict]:
    return examples_by_key(samples)
