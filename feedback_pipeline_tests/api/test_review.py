"""The queue and decisions over HTTP: what reviewers get, and what is refused with which code."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.review.triage import triage
from feedback_pipeline.store import Store, count_by_status, decide, get_feedback, submit_many
from feedback_pipeline.store.reservations import MAX_HELD
from feedback_pipeline_tests.api.conftest import api_settings, bearer
from feedback_pipeline_tests.store.running import together
from feedback_pipeline_tests.store.samples import submission

SQL = "SELECT count(*) FROM river WHERE length > 7"
REVIEWER, OTHER, ADMIN = bearer("rita", "reviewer"), bearer("otto", "reviewer"), bearer("root", "admin")
ELSEWHERE = bearer("eve", "admin", databases=["shop"])


@pytest.fixture
def store(app: FastAPI) -> Store:
    return app.state.services.store


def say(store: Store, key: str = "k1", sql: str = SQL, **changes: Any) -> str:
    [stored] = submit_many(store, [submission(key, corrected_sql=sql, **changes)])
    return stored.feedback_id


def code_of(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code") if answer.content else None


def test_the_queue_answers_items_counts_and_a_cursor(client: TestClient, store: Store, app: FastAPI) -> None:
    for number in range(3):
        say(store, f"k{number}")
    say(store, "wrong", "SELEC 1")
    triage(store, app.state.services.settings)

    first = client.get("/review-queue", params={"limit": 3}, headers=REVIEWER).json()
    rest = client.get("/review-queue", params={"cursor": first["next_cursor"]}, headers=REVIEWER).json()
    failed = client.get("/review-queue", params={"checks": "failed", "text": "RIVERS"}, headers=REVIEWER).json()

    assert [len(first["items"]), len(rest["items"]), rest["next_cursor"]] == [3, 1, None]
    assert first["counts"]["by_checks"] == {"passed": 3, "failed": 1, "unchecked": 0, "flagged": 0}
    assert first["items"][0]["expected_value"] == pytest.approx(0.75)
    assert [item["failed_check"] for item in failed["items"]] == ["parses"]
    assert client.get("/review-queue", params={"older_than_hours": 1}, headers=REVIEWER).json()["counts"]["total"] == 4
    assert "user_hash" not in client.get("/review-queue", headers=REVIEWER).text


@pytest.mark.parametrize(
    "params",
    [
        {"cursor": "x"},
        {"limit": 0},
        {"limit": 201},
        {"order": "best"},
        {"status": "done"},
        {"checks": "odd"},
        {"text": "\0"},
        {"database_id": "\0"},
        {"older_than_hours": "inf"},
        {"older_than_hours": -1},
        {"submitted_after": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_what_the_queue_cannot_be_asked_is_named(client: TestClient, store: Store, params: dict[str, Any]) -> None:
    answer = client.get("/review-queue", params=params, headers=REVIEWER)

    assert code_of(answer) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == f"query.{next(iter(params))}"


def test_an_item_is_whole_and_checked(client: TestClient, store: Store) -> None:
    one = say(store)

    item = client.get(f"/review-queue/{one}", headers=REVIEWER).json()

    assert item["item"]["checks_passed"] is True
    assert [event["event"] for event in item["history"]] == ["submitted", "checked"]
    assert (item["reviewers_needed"], item["reservation"], item["rivals"]) == (1, None, [])


def test_a_reservation_belongs_to_one_reviewer(client: TestClient, store: Store) -> None:
    path = f"/feedback/{say(store)}/reservation"

    mine = client.post(path, headers=REVIEWER)
    theirs = client.post(path, headers=OTHER)
    released_by_other = client.delete(path, headers=OTHER)
    in_queue = client.get("/review-queue", headers=OTHER).json()["items"][0]
    free = client.get("/review-queue", params={"reserved": False}, headers=OTHER).json()["items"]
    still_mine = client.get("/review-queue", params={"reserved": False}, headers=REVIEWER).json()["items"]

    assert mine.json()["reviewer"] == in_queue["reserved_by"] == "rita"
    assert code_of(theirs) == code_of(released_by_other) == (409, "reserved")
    assert theirs.json()["until"].startswith(mine.json()["until"][:19].replace("Z", ""))
    assert (free, len(still_mine)) == ([], 1)
    assert client.delete(path, headers=REVIEWER).status_code == 204
    assert client.delete(path, headers=REVIEWER).status_code == 204
    assert client.post(path, headers=OTHER).status_code == 200


def test_decisions_and_what_refuses_them(client: TestClient, store: Store) -> None:
    good, wrong = say(store, "good"), say(store, "wrong", "SELEC 1")

    verified = client.post(f"/feedback/{good}/verify", headers=REVIEWER)
    again = client.post(f"/feedback/{good}/verify", headers=OTHER)
    failing = client.post(f"/feedback/{wrong}/verify", headers=REVIEWER)
    overridden = client.post(
        f"/feedback/{wrong}/verify", json={"override": True, "reason": "a dialect"}, headers=REVIEWER
    )
    moved = client.post(
        f"/feedback/{good}/reject", json={"reason": "no", "expected_status": "pending"}, headers=REVIEWER
    )
    superseded = client.post(f"/feedback/{good}/supersede", headers=REVIEWER)
    illegal = client.post(f"/feedback/{good}/verify", headers=REVIEWER)
    reopened = client.post(f"/feedback/{good}/reopen", json={"reason": "look again"}, headers=REVIEWER)
    rejected = client.post(f"/feedback/{good}/reject", json={"reason": "wrong"}, headers=REVIEWER)

    assert verified.json() | {"reviews": len(verified.json()["reviews"])} == {
        "feedback_id": good,
        "status": "verified",
        "outcome": "done",
        "detail": None,
        "reviews": 1,
    }
    assert again.json()["outcome"] == "unchanged"
    assert code_of(failing) == (409, "checks_failed")
    assert "parses" in failing.json()["detail"]
    assert overridden.json()["status"] == "verified"
    assert code_of(moved) == (409, "moved_on")
    assert superseded.json()["status"] == "superseded"
    assert code_of(illegal) == (409, "illegal_transition")
    assert (reopened.json()["status"], rejected.json()["status"]) == ("pending", "rejected")
    assert [e["actor"] for e in get_feedback(store, good)["history"] if e["event"] != "checked"][1:] == ["rita"] * 4


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("reject", None),
        ("reject", {}),
        ("reject", {"reason": "  "}),
        ("reject", {"reason": "a\0b"}),
        ("reject", {"reason": "x" * 2_001}),
        ("verify", {"override": True}),
        ("verify", {"expected_status": "done"}),
        ("edit", None),
        ("edit", {"corrected_sql": ""}),
        ("edit", {"corrected_sql": "   "}),
        ("edit", {"corrected_sql": "SELECT 1", "natural_query": "\u0007"}),
        ("edit", {"corrected_sql": "SELECT '" + "x" * 50_001 + "'"}),
    ],
)
def test_bodies_that_cannot_be_are_named(client: TestClient, store: Store, action: str, body: Any) -> None:
    answer = client.post(f"/feedback/{say(store)}/{action}", json=body, headers=REVIEWER)

    assert code_of(answer) == (422, "invalid_request")


def test_an_edit_answers_with_the_new_feedback(client: TestClient, store: Store) -> None:
    original = say(store, sql="SELEC 1")

    failing = client.post(f"/feedback/{original}/edit", json={"corrected_sql": "SELEC 2"}, headers=REVIEWER)
    edited = client.post(f"/feedback/{original}/edit", json={"corrected_sql": SQL}, headers=REVIEWER).json()

    assert code_of(failing) == (409, "checks_failed")
    assert (edited["original_id"], edited["status"], edited["outcome"]) == (original, "verified", "done")
    assert get_feedback(store, original)["status"] == "superseded"


def test_of_different_edits_sent_at_once_one_wins(client: TestClient, store: Store) -> None:
    original = say(store, sql="SELEC 1")

    def send(number: int) -> Any:
        body = {"corrected_sql": f"SELECT {number}", "expected_status": "pending"}
        return client.post(f"/feedback/{original}/edit", json=body, headers=bearer(f"r{number}", "reviewer"))

    answers = together(*(lambda n=n: send(n) for n in range(6)))

    assert sorted(code_of(answer) for answer in answers if answer.status_code != 200) == [(409, "moved_on")] * 5
    assert count_by_status(store)["verified"] == 1


def test_an_edit_says_which_status_was_seen(client: TestClient, store: Store) -> None:
    one = say(store)

    stale = client.post(
        f"/feedback/{one}/edit", json={"corrected_sql": "SELECT 2", "expected_status": "verified"}, headers=REVIEWER
    )

    assert code_of(stale) == (409, "moved_on")
    assert get_feedback(store, one)["status"] == "pending"


def test_so_many_are_reserved_at_a_time(client: TestClient, store: Store) -> None:
    answers = [
        client.post(f"/feedback/{say(store, f'k{number}')}/reservation", headers=REVIEWER)
        for number in range(MAX_HELD + 1)
    ]

    assert [answer.status_code for answer in answers[:-1]] == [200] * MAX_HELD
    assert code_of(answers[-1]) == (409, "too_many_reserved")


def test_what_another_reviewer_has_cannot_be_decided(client: TestClient, store: Store) -> None:
    one = say(store)
    client.post(f"/feedback/{one}/reservation", headers=REVIEWER)

    answers = [
        client.post(f"/feedback/{one}/verify", headers=OTHER),
        client.post(f"/feedback/{one}/reject", json={"reason": "no"}, headers=OTHER),
        client.post(f"/feedback/{one}/edit", json={"corrected_sql": "SELECT 2"}, headers=ADMIN),
    ]

    assert [code_of(answer) for answer in answers] == [(409, "reserved")] * 3
    assert all(answer.json()["until"] for answer in answers)


def test_two_reviewers_agree_over_http(tmp_path: Path) -> None:
    app = create_app(api_settings(tmp_path / "two", reviewers_per_item=2))
    with TestClient(app, raise_server_exceptions=False) as client:
        one = say(app.state.services.store)
        first = client.post(f"/feedback/{one}/verify", headers=REVIEWER).json()
        second = client.post(f"/feedback/{one}/verify", headers=OTHER).json()

    assert (first["outcome"], first["status"]) == ("noted", "pending")
    assert (second["outcome"], second["status"]) == ("done", "verified")
    assert [word["reviewer"] for word in second["reviews"]] == ["rita", "otto"]


def test_applying_asks_for_a_run_once_it_is_verified(
    client: TestClient, store: Store, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(app.state.services.runs, "request", asked.append)
    one = say(store)
    path = f"/feedback/{one}/apply"

    pending = client.post(path, headers=REVIEWER)
    client.post(f"/feedback/{one}/verify", headers=REVIEWER)
    requested = client.post(path, headers=REVIEWER)
    decide(store, [one], "applied", actor="pipeline")
    applied = client.post(path, headers=REVIEWER)

    assert code_of(pending) == (409, "illegal_transition")
    assert (requested.status_code, requested.json()["state"], asked) == (202, "requested", ["promote_verified"])
    assert (applied.status_code, applied.json()) == (
        200,
        {"feedback_id": one, "state": "applied", "index_version": None},
    )


def test_bulk_verification_says_what_became_of_each(client: TestClient, store: Store) -> None:
    good, wrong = say(store, "good"), say(store, "wrong", "SELEC 1")
    body = {"feedback_ids": [good, wrong, "no-such-id"]}

    dry = client.post("/feedback/bulk-verify", json={**body, "dry_run": True}, headers=ADMIN).json()
    done = client.post("/feedback/bulk-verify", json=body, headers=ADMIN).json()
    by_filter = client.post("/feedback/bulk-verify", json={"filter": {}}, headers=ADMIN).json()

    assert dry["dry_run"]
    assert dry["counts"] == done["counts"] == {"verified": 1, "skipped": 0, "conflict": 0, "failed": 2}
    assert {entry["feedback_id"]: entry["result"] for entry in done["results"]}[good] == "verified"
    assert [entry["reason"] for entry in by_filter["results"]] == ["failed check: parses"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"feedback_ids": [], "dry_run": False},
        {"feedback_ids": ["a"], "filter": {}},
        {"feedback_ids": ["a\0"]},
        {"feedback_ids": ["x"] * 10_001},
        {"filter": {"databse_id": "geo"}},
        {"filter": {"submitted_after": "yesterday"}},
    ],
)
def test_a_bulk_order_that_may_choose_too_much_is_refused(client: TestClient, store: Store, body: Any) -> None:
    one = say(store)

    assert code_of(client.post("/feedback/bulk-verify", json=body, headers=ADMIN)) == (422, "invalid_request")
    assert get_feedback(store, one)["status"] == "pending"


def test_feedback_of_other_databases_does_not_exist(client: TestClient, store: Store) -> None:
    one = say(store)
    posts = ["reservation", "verify", "supersede", "reopen", "apply"]

    answers = [client.post(f"/feedback/{one}/{action}", headers=ELSEWHERE) for action in posts]
    answers += [client.post(f"/feedback/{one}/reject", json={"reason": "x"}, headers=ELSEWHERE)]
    answers += [client.post(f"/feedback/{one}/edit", json={"corrected_sql": "SELECT 1"}, headers=ELSEWHERE)]
    answers += [client.get(f"/review-queue/{one}", headers=ELSEWHERE)]
    answers += [client.delete(f"/feedback/{one}/reservation", headers=ELSEWHERE)]
    bulk = client.post("/feedback/bulk-verify", json={"feedback_ids": [one]}, headers=ELSEWHERE).json()

    assert {code_of(answer) for answer in answers} == {(404, "unknown_feedback")}
    assert bulk["counts"]["failed"] == 1
    assert client.get("/review-queue", headers=ELSEWHERE).json()["counts"]["total"] == 0
    assert client.get("/review-queue", params={"database_id": "geo"}, headers=ELSEWHERE).json()["items"] == []
    assert [event["event"] for event in get_feedback(store, one)["history"]] == ["submitted"]


def test_users_review_nothing_and_reviewers_verify_nothing_in_bulk(client: TestClient, store: Store) -> None:
    one = say(store)

    assert client.get("/review-queue", headers=bearer()).status_code == 403
    assert client.post(f"/feedback/{one}/verify", headers=bearer()).status_code == 403
    assert client.post("/feedback/bulk-verify", json={"feedback_ids": [one]}, headers=REVIEWER).status_code == 403


@pytest.mark.parametrize("feedback_id", ["no-such-id", "%00", "%C3%A9", "a" * 200])
def test_ids_that_cannot_be_are_unknown(client: TestClient, store: Store, feedback_id: str) -> None:
    assert code_of(client.post(f"/feedback/{feedback_id}/verify", headers=REVIEWER)) == (404, "unknown_feedback")
    assert code_of(client.get(f"/review-queue/{feedback_id}", headers=REVIEWER)) == (404, "unknown_feedback")
