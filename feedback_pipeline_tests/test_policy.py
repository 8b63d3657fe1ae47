"""Decisions by rule, on a real database: what agreement verifies, and what no flood can."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline import policy
from feedback_pipeline.checking import check_and_record, checker_from
from feedback_pipeline.policy import apply_consensus, bursting_ids, open_conflicts, renew_rivals, verify_passing
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Store,
    count_by_status,
    decide,
    get_feedback,
    ids_by_status,
    register_database,
    stored_submissions,
    submit_many,
)
from feedback_pipeline_tests.store.running import start
from feedback_pipeline_tests.store.samples import MOMENT, submission

LONG, ALSO_LONG, WIDE = (
    "SELECT name FROM river WHERE length > 1000",
    "SELECT name FROM river WHERE NOT length <= 1000",
    "SELECT name FROM river WHERE width > 2",
)


@pytest.fixture
def geo(store: Store, tmp_path: Path) -> None:
    """Register a database with rivers, so that SQL is run."""
    with sqlite3.connect(tmp_path / "geo.sqlite") as connection:
        connection.execute("CREATE TABLE river (name TEXT, length INTEGER, width INTEGER)")
        connection.executemany(
            "INSERT INTO river VALUES (?, ?, ?)", [("Rhine", 1233, 1), ("Elbe", 1094, 3), ("Oder", 840, 2)]
        )
    connection.close()
    register_database(store, "geo", "sqlite", url=str(tmp_path / "geo.sqlite"))


@pytest.fixture
def consensus(store_settings: Settings) -> Settings:
    """Settings under which two users are enough."""
    return store_settings.model_copy(update={"auto_verify": "consensus", "consensus_users": 2})


_keys = iter(range(1_000_000))


def say(store: Store, user: str | None, sql: str = LONG, question: str = "long rivers?", **changes: Any) -> str:
    """Submit a correction of ``user`` and return its id."""
    item = submission(f"p{next(_keys)}", user_id=user, corrected_sql=sql, natural_query=question, **changes)
    return submit_many(store, [item])[0].feedback_id


def last_event(store: Store, feedback_id: str) -> tuple[str, str, str]:
    event = get_feedback(store, feedback_id)["history"][-1]
    return event["event"], event["actor"], event["reason"]


@pytest.mark.usefixtures("geo")
def test_users_who_agree_are_verified_by_the_policy_and_on_record(store: Store, consensus: Settings) -> None:
    ids = [say(store, "ann"), say(store, "ben", ALSO_LONG, "Long rivers"), say(store, "cy", LONG)]

    report = apply_consensus(store, consensus)

    assert sorted(report.verified) == sorted(ids)
    assert {last_event(store, i) for i in ids} == {("verified", "policy:consensus", "3 distinct users agree")}
    assert apply_consensus(store, consensus) == policy.ConsensusReport()


@pytest.mark.usefixtures("geo")
def test_by_default_nothing_is_verified_without_a_person(store: Store, store_settings: Settings) -> None:
    for user in ("ann", "ben", "cy"):
        say(store, user)

    assert apply_consensus(store, store_settings) == policy.ConsensusReport()
    assert count_by_status(store)["pending"] == 3


def test_without_a_database_to_run_on_people_decide(store: Store, consensus: Settings) -> None:
    for user in ("ann", "ben"):
        say(store, user)

    assert apply_consensus(store, consensus).left_out == {"not executed": 2}


@pytest.mark.usefixtures("geo")
def test_rivals_in_use_and_rejections_are_seen_though_only_pending_rows_are_read(
    store: Store, consensus: Settings
) -> None:
    rival, no = say(store, "eve", WIDE), say(store, "dee", LONG, "longest")
    verify_passing(store, consensus, actor="ada", reason="right")
    decide(store, [no], "rejected", actor="ada", reason="wrong")
    for question in ("long rivers?", "longest"):
        for user in ("ann", "ben"):
            say(store, user, LONG, question)

    report = apply_consensus(store, consensus)

    assert report.verified == []
    assert report.left_out == {"conflict": 2, "rejected before": 2}
    assert get_feedback(store, rival)["status"] == "verified"


@pytest.mark.usefixtures("geo")
def test_a_thousand_submissions_of_one_account_verify_nothing(store: Store, consensus: Settings) -> None:
    honest = [say(store, "ann"), say(store, "ben")]
    apply_consensus(store, consensus)
    flood = [
        submission(
            f"h{n}",
            user_id="hostile",
            corrected_sql=WIDE,
            natural_query=f"rivers {n % 400}",
            created_at=MOMENT + timedelta(seconds=n),
        )
        for n in range(1_000)
    ]
    submit_many(store, flood)

    by_consensus = apply_consensus(store, consensus)
    in_bulk = verify_passing(store, consensus, actor="ada", reason="all checks passed")

    assert by_consensus.verified == []
    assert in_bulk.decisions == []
    assert set(in_bulk.left_out.values()) == {"burst"}
    assert ids_by_status(store, "verified") == set(honest)


def test_a_burst_stays_one_when_part_of_it_has_been_decided(sqlite_store: Store, store_settings: Settings) -> None:
    small = store_settings.model_copy(update={"burst_submissions": 3, "burst_minutes": 10})
    ids = [say(sqlite_store, "ann", question=f"q{n}") for n in range(3)]
    say(sqlite_store, "ben")
    decide(sqlite_store, ids[:1], "rejected", actor="ada", reason="odd")

    assert bursting_ids(sqlite_store, small) == set(ids)


@pytest.mark.usefixtures("geo")
def test_conflicts_are_found_among_decided_feedback_and_with_what_waits(store: Store, store_settings: Settings) -> None:
    first = [say(store, "ann"), say(store, "ben", WIDE)]
    found = open_conflicts(store, store_settings)
    decide(store, first, "verified", actor="ada", reason="both", expected="pending")

    again = open_conflicts(store, store_settings, database_id="geo")

    for conflicts in (found, again):
        [conflict] = conflicts
        assert sorted([c.feedback_id for c in rival.claims] for rival in conflict.rivals) == sorted([i] for i in first)
    assert open_conflicts(store, store_settings, database_id="other") == []


@pytest.mark.usefixtures("geo")
def test_a_dry_run_decides_nothing(store: Store, store_settings: Settings) -> None:
    feedback_id = say(store, "ann")

    report = verify_passing(store, store_settings, actor="ada", reason="x", dry_run=True)

    assert (report.selected, report.decisions) == ((feedback_id,), [])
    assert get_feedback(store, feedback_id)["status"] == "pending"


@pytest.mark.usefixtures("geo")
def test_bulk_keeps_to_one_database_and_reports_its_progress(
    store: Store, store_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "DECIDED_TOGETHER", 2)
    monkeypatch.setattr(policy, "CHECKED_TOGETHER", 2)
    ids = {say(store, f"u{n}", question=f"q{n}") for n in range(3)}
    say(store, "ann", database_id="other", sql="SELECT 1")
    seen: list[tuple[str, int, int]] = []

    report = verify_passing(
        store,
        store_settings,
        actor="ada",
        reason="x",
        database_id="geo",
        progress=lambda what, done, total: seen.append((what, done, total)),
    )

    assert {decision.feedback_id for decision in report.decisions if decision.outcome == "done"} == ids
    assert seen == [("checking", 2, 3), ("checking", 3, 3), ("deciding", 2, 3), ("deciding", 3, 3)]


BULK = """
import time
from pathlib import Path
from feedback_pipeline import policy
from feedback_pipeline.settings import get_settings
from feedback_pipeline.store import open_store
policy.DECIDED_TOGETHER = 5
store, ready = open_store(get_settings()), Path({folder!r})
(ready / "{actor}").touch()
while len(list(ready.iterdir())) < 2:
    time.sleep(0.001)
report = policy.verify_passing(store, get_settings(), actor="{actor}", reason="right")
print(*(decision.feedback_id for decision in report.decisions if decision.outcome == "done"))
"""


@pytest.mark.usefixtures("geo")
def test_two_reviewers_in_bulk_never_decide_the_same_feedback_twice(
    store: Store, store_settings: Settings, tmp_path: Path
) -> None:
    ids = [say(store, f"u{n}", question=f"q{n}") for n in range(120)]
    (tmp_path / "ready").mkdir()
    code = {actor: BULK.format(actor=actor, folder=str(tmp_path / "ready")) for actor in ("ada", "bob")}

    reviewers = [start(text, store_settings) for text in code.values()]
    done = [reviewer.communicate(timeout=120) for reviewer in reviewers]

    assert [reviewer.returncode for reviewer in reviewers] == [0, 0], done
    assert sorted(feedback_id for out, _ in done for feedback_id in out.split()) == sorted(ids)
    for feedback_id in ids:
        events = [event["event"] for event in get_feedback(store, feedback_id)["history"]]
        assert events == ["submitted", "checked", "verified"]


@pytest.mark.usefixtures("geo")
def test_what_a_person_has_reopened_waits_for_a_person(store: Store, consensus: Settings) -> None:
    ids = [say(store, user) for user in ("ann", "bob", "cy")]
    apply_consensus(store, consensus)
    decide(store, ids[:1], "reopened", actor="ada", reason="let me see")

    report = apply_consensus(store, consensus)

    assert (report.verified, report.left_out) == ([], {"reopened by a person": 1})
    assert get_feedback(store, ids[0])["status"] == "pending"


@pytest.mark.usefixtures("geo")
def test_rivals_whose_evidence_is_of_different_moments_are_run_again_side_by_side(
    store: Store, store_settings: Settings, tmp_path: Path
) -> None:
    early = say(store, "ann", LONG)
    verify_passing(store, store_settings, actor="ada", reason="right")
    with sqlite3.connect(tmp_path / "geo.sqlite") as connection:
        connection.execute("INSERT INTO river VALUES ('Danube', 2850, 4)")
    connection.close()
    late = say(store, "bob", "SELECT name FROM river WHERE length >= 1001")
    check_and_record(store, stored_submissions(store, [late]), checker_from(store, store_settings))
    decide(store, [late], "verified", actor="ada")
    assert open_conflicts(store, store_settings) != []

    renewed = renew_rivals(store, store_settings)

    assert (renewed, open_conflicts(store, store_settings)) == (1, [])
    assert get_feedback(store, early)["checks"]["execution"]["corrected"]["rows"] == 3
    assert renew_rivals(store, store_settings) == 0


@pytest.mark.usefixtures("geo")
def test_one_row_that_is_equal_by_accident_merges_no_answers_of_different_tables(
    store: Store, store_settings: Settings, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "geo.sqlite") as connection:
        connection.execute("CREATE TABLE lake AS SELECT * FROM river")
    connection.close()
    register_database(store, "geo", "sqlite", url=str(tmp_path / "geo.sqlite"))
    say(store, "ann", "SELECT count(*) FROM river")
    say(store, "bob", "SELECT count(name) FROM river")
    assert open_conflicts(store, store_settings) == []

    say(store, "mallory", "SELECT count(*) FROM lake")

    assert len(open_conflicts(store, store_settings)) == 1
