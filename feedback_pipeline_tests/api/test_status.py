"""What became of feedback: for whoever gave it, for reviewers, and for nobody else."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.finetune.publishing.release import publish_release
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    CheckRecord,
    Interaction,
    RetrievedExample,
    decide,
    record_checks,
    record_many,
    remove_user,
)
from feedback_pipeline_tests.api.conftest import api_settings, bearer
from feedback_pipeline_tests.api.worlds import CHECKED, World
from feedback_pipeline_tests.example_index.samples import example_id
from feedback_pipeline_tests.finetune.samples import POLICY, deduped

ANN, BOB = bearer("ann"), bearer("bob")
SEARCH = {"natural_query": "tea", "database_id": "shop", "min_score": -1}
REVIEWER, ADMIN = bearer("rae", "reviewer"), bearer("root", "admin")


@pytest.fixture
def world(store_settings: Settings, tmp_path: Path) -> Iterator[World]:
    """A deployment with nothing in it, on each kind of database."""
    app = create_app(api_settings(tmp_path / "data", database_url=store_settings.database_url))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield World(app, client)


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[World]:
    """The same on SQLite, for what does not depend on the kind of database."""
    app = create_app(api_settings(tmp_path / "quick"))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield World(app, client)


def status(world: World, feedback_id: str, headers: dict[str, str] = ANN) -> dict:
    response = world.client.get(f"/feedback/{feedback_id}", headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def refused(world: World, path: str, headers: dict[str, str] = ANN) -> tuple[int, str]:
    response = world.client.get(path, headers=headers)
    return response.status_code, response.json()["code"]


def listed(world: World, headers: dict[str, str] = ANN, **query) -> dict:
    response = world.client.get("/feedback", params=query, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def release(world: World, *feedback_ids: str) -> None:
    """Publish a version of text2sql that rests on these."""
    rows = deduped((number, f"cluster {number}") for number in range(len(feedback_ids))).to_pylist()
    for row, feedback_id in zip(rows, feedback_ids, strict=True):
        row["feedback_ids"] = [feedback_id]
    table = deduped([]).from_pylist(rows, deduped([]).schema)
    assert publish_release(ReleaseCatalog(world.services.settings.storage_root), "text2sql", table, POLICY).published


def test_a_new_feedback_waits(world: World):
    feedback_id = world.give("question 1", checks={"passed": True, "flags": []}, comment="please", rating=2)

    found = status(world, feedback_id)

    texts = {"natural_query": "question 1", "generated_sql": "SELECT 1", "corrected_sql": "SELECT 'question 1'"}
    assert {name: found[name] for name in texts} == texts
    assert (found["status"], found["rating"], found["comment"], found["yours"]) == ("pending", 2, "please", True)
    assert datetime.fromisoformat(found["created_at"]).utcoffset() == timedelta(0)
    assert [event["event"] for event in found["history"]] == ["submitted", "checked"]
    assert found["applied"] == {
        "index_version": None,
        "first_applied_at": None,
        "datasets": [],
        "used_in_queries": 0,
        "last_used_at": None,
    }


def test_a_live_feedback_says_where_it_is_of_use(world: World):
    feedback_id = world.live("question 1")
    release(world, feedback_id)
    release(world, feedback_id, "another")
    for _ in range(3):
        world.client.post("/examples/search", json=SEARCH, headers=BOB)
    reported = RetrievedExample(example_id("shop", "question 1"), 1)
    record_many(world.store, [Interaction("text2sql", "q", database_id="shop", examples=[reported])])
    assert world.services.influence.flush()

    applied = status(world, feedback_id)["applied"]

    assert applied["index_version"] == 1
    assert applied["datasets"] == [{"name": "text2sql", "version": 1}, {"name": "text2sql", "version": 2}]
    assert applied["used_in_queries"] == 4
    now = datetime.now(UTC)
    for name in ("first_applied_at", "last_used_at"):
        assert now - timedelta(minutes=1) < datetime.fromisoformat(applied[name]) <= now


def test_what_left_the_index_says_when_it_was_applied_and_that_it_is_live_no_more(quick: World):
    first = quick.live("question 1")
    assert status(quick, first)["applied"]["index_version"] == 1
    quick.live("question 2")
    quick.services.live_membership._looked_at = float("-inf")

    applied = status(quick, first)["applied"]

    assert applied["index_version"] is None
    assert applied["first_applied_at"] is not None


@pytest.mark.parametrize(
    ("evidence", "passed", "state", "failed", "detail"),
    [
        (None, None, "not_yet", None, None),
        ({**CHECKED, "results_equal": True}, True, "passed", None, None),
        (
            {"failed_check": "parses", "parses": {"outcome": "fail", "detail": "no SQL"}, "flags": []},
            False,
            "failed",
            "parses",
            "no SQL",
        ),
        ({"failed_check": "parses", "parses": {"outcome": "fail"}}, False, "failed", "parses", None),
    ],
)
def test_checks_are_summed_up(quick: World, evidence, passed, state, failed, detail):
    from feedback_pipeline.store import Submission, submit_many

    [stored] = submit_many(quick.store, [Submission("shop", "q", corrected_sql="SELECT 1", user_id="ann")])
    if evidence is not None:
        record_checks(quick.store, [CheckRecord(stored.feedback_id, evidence, "v1", passed)])

    checks = status(quick, stored.feedback_id)["checks"]

    equal = (evidence or {}).get("results_equal")
    assert checks == {
        "state": state,
        "failed_check": failed,
        "detail": detail,
        "results_equal": equal,
        "flags": None,
    }


def test_users_hear_what_was_decided_and_not_who_decided_it(quick: World):
    feedback_id = quick.give("question 1", checks=CHECKED | {"flags": ["tautological"]})
    quick.publish(("question 1", [feedback_id]))
    decide(quick.store, [feedback_id], "rejected", actor="rae", reason="wrong table")

    for_user, for_reviewer = status(quick, feedback_id), status(quick, feedback_id, REVIEWER)

    actors = [(event["event"], event["actor"]) for event in for_user["history"]]
    assert actors == [
        ("submitted", None),
        ("checked", None),
        ("verified", None),
        ("applied", "pipeline"),
        ("rejected", None),
    ]
    assert "rae" not in json.dumps(for_user)
    assert (for_user["status"], for_user["status_reason"]) == ("rejected", "wrong table")
    assert for_user["history"][-1]["reason"] == "wrong table"
    assert for_reviewer["history"][-1]["actor"] == "rae"
    assert (for_user["checks"]["flags"], for_reviewer["checks"]["flags"]) == (None, ["tautological"])


def test_a_rule_of_the_pipeline_is_the_pipeline_to_users(quick: World):
    feedback_id = quick.give("question 1")
    decide(quick.store, [feedback_id], "verified", actor="policy:consensus", reason="3 distinct users agree")

    assert status(quick, feedback_id)["history"][-1]["actor"] == "pipeline"


def test_feedback_is_there_for_its_user_and_for_those_who_review_its_database(world: World):
    feedback_id = world.give("question 1")
    path = f"/feedback/{feedback_id}"

    shown = {
        "ann": status(world, feedback_id, ANN)["yours"],
        "reviewer": status(world, feedback_id, REVIEWER)["yours"],
        "admin": status(world, feedback_id, ADMIN)["yours"],
        "reviewer of shop": status(world, feedback_id, bearer("rae", "reviewer", databases=["shop"]))["yours"],
    }
    unknown = (404, "unknown_feedback")

    assert shown == {"ann": True, "reviewer": False, "admin": False, "reviewer of shop": False}
    assert refused(world, path, BOB) == unknown
    assert refused(world, path, bearer("rae", "reviewer", databases=["geo"])) == unknown
    assert refused(world, path, bearer("ann", databases=["geo"])) == unknown
    assert refused(world, path, bearer("backend", acts_for_users=True)) == unknown
    assert world.client.get(path).status_code == 401


def test_what_is_hidden_and_what_is_not_there_look_the_same(quick: World):
    feedback_id = quick.give("question 1")

    hidden, missing = (
        quick.client.get(f"/feedback/{i}", headers=BOB).json() for i in (feedback_id, feedback_id[:-1] + "x")
    )

    hidden.pop("request_id", None)
    missing.pop("request_id", None)
    assert hidden == missing


@pytest.mark.parametrize("path", ["no-such-id", "%00", "a%00b", "%ED%A0%80", "x" * 500, "' OR 1=1 --"])
def test_an_id_that_cannot_be_is_unknown(world: World, path: str):
    response = world.client.get(f"/feedback/{path}", headers=ADMIN)

    assert response.status_code == 404, response.text


def test_erased_feedback_is_unknown_to_everybody(quick: World):
    feedback_id = quick.live("question 1")
    status(quick, feedback_id)

    remove_user(quick.store, quick.store.hash_user("ann"))

    assert refused(quick, f"/feedback/{feedback_id}", ANN) == (404, "unknown_feedback")
    assert refused(quick, f"/feedback/{feedback_id}", ADMIN) == (404, "unknown_feedback")


def test_users_list_their_own_newest_first_with_its_uses(world: World):
    ids = [world.give(f"question {number}") for number in range(3)]
    world.give("question 9", user="bob")
    world.publish(("question 0", [ids[0]]))
    world.client.post("/examples/search", json=SEARCH, headers=BOB)
    assert world.services.influence.flush()

    answer = listed(world, mine=True)

    assert answer["next_cursor"] is None
    found = [(one["feedback_id"], one["status"], one["used_in_queries"]) for one in answer["feedback"]]
    assert found == [(ids[2], "pending", 0), (ids[1], "pending", 0), (ids[0], "applied", 1)]


def test_pages_follow_each_other_without_gap_or_repeat(world: World):
    ids = [world.give(f"question {number}", created_at=datetime(2026, 1, 1, tzinfo=UTC)) for number in range(7)]
    found, cursor, pages = [], None, 0

    while pages == 0 or cursor:
        page = listed(world, mine=True, limit=3, **({"cursor": cursor} if cursor else {}))
        found += [one["feedback_id"] for one in page["feedback"]]
        cursor, pages = page["next_cursor"], pages + 1

    assert (sorted(found), len(found), pages) == (sorted(ids), 7, 3)


def test_a_status_can_be_asked_for(quick: World):
    first, second = quick.give("question 1"), quick.give("question 2")
    decide(quick.store, [first], "verified", actor="rae")

    assert [one["feedback_id"] for one in listed(quick, mine=True, status="verified")["feedback"]] == [first]
    assert [one["feedback_id"] for one in listed(quick, mine=True, status="pending")["feedback"]] == [second]


def test_only_reviewers_list_what_others_gave_and_only_of_their_databases(quick: World):
    in_shop = quick.give("question 1")
    in_geo = quick.give("question 2", database_id="geo")

    assert refused(quick, "/feedback") == (403, "role_missing")
    assert refused(quick, "/feedback?mine=false") == (403, "role_missing")
    assert {one["feedback_id"] for one in listed(quick, REVIEWER)["feedback"]} == {in_shop, in_geo}
    of_geo = listed(quick, bearer("rae", "reviewer", databases=["geo"]))["feedback"]
    assert [one["feedback_id"] for one in of_geo] == [in_geo]
    assert listed(quick, bearer("rae", "reviewer", databases=[]))["feedback"] == []
    assert listed(quick, REVIEWER, mine=True)["feedback"] == []


def test_own_feedback_outside_the_callers_databases_is_not_listed(quick: World):
    quick.give("question 1")

    assert listed(quick, bearer("ann", databases=["geo"]), mine=True)["feedback"] == []


def test_a_backend_lists_for_the_user_it_names(quick: World):
    feedback_id = quick.give("question 1")
    backend = bearer("backend", acts_for_users=True)

    assert refused(quick, "/feedback?mine=true", backend)[0] == 422
    [found] = listed(quick, backend | {"On-Behalf-Of": "ann"}, mine=True)["feedback"]
    assert found["feedback_id"] == feedback_id


def _place(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "===",
        "ü",
        _place(),
        _place(1, 2),
        _place("2026-01-01T00:00:00", "a"),
        _place("2026-01-01T00:00:00+00:00", "a' OR 1=1"),
        _place("2026-01-01T00:00:00+00:00", "a\0"),
        _place("9999-12-31T23:59:59-10:00", "a"),
        _place("0001-01-01T00:00:00+10:00", "a"),
        _place(["2026"], {}),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        "[" * 400,
    ],
)
def test_a_cursor_that_is_none_is_refused(world: World, cursor: str):
    response = world.client.get("/feedback", params={"mine": True, "cursor": cursor}, headers=ANN)

    assert response.status_code == 422, response.text
    assert [error["field"] for error in response.json()["errors"]] == ["query.cursor"]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "status=fine", "mine=perhaps"])
def test_a_query_that_cannot_be_is_refused(quick: World, query: str):
    assert refused(quick, f"/feedback?mine=true&{query}") == (422, "invalid_request")


def test_a_user_is_led_to_the_version_that_took_the_place_of_theirs(quick: World):
    first, edit, of_bob = (quick.give(f"question {n}", user=user) for n, user in enumerate(("ann", "ann", "bob")))
    decide(quick.store, [first], "superseded", actor="rae", payload={"superseded_by": edit})
    replaced = quick.give("question 4", user="ann")
    decide(quick.store, [replaced], "superseded", actor="rae", payload={"superseded_by": of_bob})

    assert status(quick, first)["superseded_by"] == edit
    assert status(quick, edit)["superseded_by"] is None
    assert status(quick, replaced)["superseded_by"] is None
    assert status(quick, replaced, bearer("rae", "reviewer"))["superseded_by"] == of_bob
