import pytest

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    CheckRecord,
    IllegalTransitionError,
    Store,
    UnknownFeedbackError,
    count_by_status,
    decide,
    get_feedback,
    list_feedback,
    open_store,
    record_checks,
    status_after,
    transition,
)
from feedback_pipeline_tests.store.running import together
from feedback_pipeline_tests.store.samples import submit


def events_of(store: Store, feedback_id: str) -> list[str]:
    return [entry["event"] for entry in get_feedback(store, feedback_id)["history"]]


def test_checks_are_stored_with_their_evidence(store: Store) -> None:
    [feedback_id] = submit(store, "k1", passed=None)

    changed = record_checks(store, [CheckRecord(feedback_id, {"b": [1, None], "a": "é"}, "v1", True)])

    stored = get_feedback(store, feedback_id)
    assert changed == 1
    assert (stored["checks"], stored["checks_key"], stored["checks_passed"]) == (
        {"a": "é", "b": [1, None]},
        "v1",
        True,
    )
    assert stored["history"][-1]["payload"] == {"passed": True, "checks_key": "v1"}


def test_the_same_checks_again_leave_no_event(store: Store) -> None:
    [feedback_id] = submit(store, "k1", passed=None)
    record = CheckRecord(feedback_id, {"a": 1}, "v1", True)
    record_checks(store, [record])

    assert record_checks(store, [record]) == 0
    assert events_of(store, feedback_id) == ["submitted", "checked"]


def test_checks_of_unknown_feedback_are_refused_whole(store: Store) -> None:
    [feedback_id] = submit(store, "k1", passed=None)

    with pytest.raises(UnknownFeedbackError, match="nobody"):
        record_checks(store, [CheckRecord(i, {}, "v1", True) for i in (feedback_id, "nobody")])

    assert get_feedback(store, feedback_id)["checks"] is None


def test_each_decision_says_what_became_of_it(store: Store) -> None:
    good, failed, unchecked, rejected = (
        *submit(store, "good"),
        *submit(store, "failed", passed=False),
        *submit(store, "unchecked", passed=None),
        *submit(store, "rejected"),
    )
    transition(store, rejected, "rejected", actor="ada")

    decisions = decide(store, [good, failed, unchecked, rejected, "nobody"], "verified", actor="bob", reason="right")

    assert [decision.outcome for decision in decisions] == [
        "done",
        "refused",
        "refused",
        "refused",
        "unknown",
    ]
    assert "checks failed" in str(decisions[1].detail)
    assert "not run yet" in str(decisions[2].detail)
    assert "it may be withdrawn, reopened" in str(decisions[3].detail)
    assert count_by_status(store) == {
        **dict.fromkeys(count_by_status(store), 0),
        "verified": 1,
        "pending": 2,
        "rejected": 1,
    }
    last = get_feedback(store, good)["history"][-1]
    assert (last["event"], last["actor"], last["reason"]) == ("verified", "bob", "right")


def test_deciding_again_is_unchanged_and_leaves_no_event(store: Store) -> None:
    [feedback_id] = submit(store, "k1")
    decide(store, [feedback_id], "verified", actor="ada")

    [decision] = decide(store, [feedback_id, feedback_id], "verified", actor="ada")

    assert decision.outcome == "unchanged"
    assert events_of(store, feedback_id) == ["submitted", "checked", "verified"]


@pytest.mark.parametrize(("reason", "outcome"), [("seen by hand", "done"), (None, "refused"), ("  ", "refused")])
def test_failed_checks_are_overridden_only_with_a_reason(store: Store, reason: str | None, outcome: str) -> None:
    [feedback_id] = submit(store, "k1", passed=False)

    [decision] = decide(store, [feedback_id], "verified", actor="ada", reason=reason, payload={"override": True})

    assert decision.outcome == outcome


def payload_of(store: Store, feedback_id: str) -> dict:
    return get_feedback(store, feedback_id)["history"][-1]["payload"]


def test_an_override_names_the_check_it_stands_above(store: Store) -> None:
    ids = submit(store, "k1", "k2", "k3", passed=None)
    failed = [({"failed_check": name}, False) for name in ("execution", "names_resolve")]
    checks = zip(ids, [*failed, ({"failed_check": None}, True)], strict=True)
    record_checks(store, [CheckRecord(i, document, "v1", passed) for i, (document, passed) in checks])

    decide(store, ids, "verified", actor="ada", reason="seen by hand", payload={"override": True})

    overridden = [payload_of(store, feedback_id)["overridden_check"] for feedback_id in ids]
    assert overridden == ["execution", "names_resolve", "none"]


def test_without_an_override_no_check_is_named(store: Store) -> None:
    [feedback_id] = submit(store, "k1")

    decide(store, [feedback_id], "verified", actor="ada", reason="right", payload={"ticket": 7})

    assert payload_of(store, feedback_id) == {"ticket": 7}


def test_a_reversal_and_a_second_verification_are_all_on_record(store: Store) -> None:
    [feedback_id] = submit(store, "k1")

    steps = [("verified", "ada"), ("rejected", "bob"), ("reopened", "bob"), ("verified", "eve"), ("reopened", "ada")]
    outcomes = [transition(store, feedback_id, event, actor=actor, reason=event).outcome for event, actor in steps]

    history = get_feedback(store, feedback_id)["history"][2:]
    assert outcomes == ["done"] * 5
    assert [(e["event"], e["actor"], e["reason"]) for e in history] == [(event, who, event) for event, who in steps]
    assert get_feedback(store, feedback_id)["status"] == status_after(e["event"] for e in history) == "pending"


def test_who_saw_an_older_status_is_refused(store: Store) -> None:
    [feedback_id] = submit(store, "k1")
    decide(store, [feedback_id], "verified", actor="ada", expected="pending")

    [decision] = decide(store, [feedback_id], "rejected", actor="bob", expected="pending")

    assert decision.outcome == "refused"
    assert "no longer pending but verified" in str(decision.detail)


def test_of_concurrent_reviewers_one_decides(store: Store, store_settings: Settings) -> None:
    ids = submit(store, *(f"k{number}" for number in range(40)))
    other = open_store(store_settings)
    calls = [
        lambda: decide(store, ids, "verified", actor="ada", expected="pending"),
        lambda: decide(other, ids, "rejected", actor="bob", expected="pending"),
        lambda: decide(other, reversed(ids), "verified", actor="eve", expected="pending"),
    ]

    results = together(*calls)

    done = [decision.feedback_id for result in results for decision in result if decision.outcome == "done"]
    assert sorted(done) == sorted(ids)
    assert all(len(events_of(store, feedback_id)) == 3 for feedback_id in ids)
    other.close()


def test_tens_of_thousands_are_decided_at_once(sqlite_store: Store) -> None:
    ids = submit(sqlite_store, *(f"k{number}" for number in range(12_000)))

    decisions = decide(sqlite_store, ids, "verified", actor="ada")

    assert {decision.outcome for decision in decisions} == {"done"}
    assert count_by_status(sqlite_store)["verified"] == 12_000


def test_one_transition_raises_what_cannot_be_done(store: Store) -> None:
    [feedback_id] = submit(store, "k1", passed=False)

    with pytest.raises(
        IllegalTransitionError, match=f"{feedback_id} is pending and cannot be verified: .*checks failed"
    ):
        transition(store, feedback_id, "verified", actor="ada")
    with pytest.raises(UnknownFeedbackError, match="nobody"):
        transition(store, "nobody", "verified", actor="ada")


@pytest.mark.parametrize("event", ["submitted", "checked", "approved"])
def test_an_event_that_decides_nothing_is_refused(sqlite_store: Store, event: str) -> None:
    with pytest.raises(ValueError, match="use one of verified, rejected"):
        decide(sqlite_store, ["f1"], event, actor="ada")


def test_the_list_filters_and_orders(store: Store) -> None:
    first, second = submit(store, "k1", "k2")
    [third] = submit(store, "k3", database_id="atis", source="app")
    decide(store, [second], "rejected", actor="ada", reason="wrong")

    assert [row["feedback_id"] for row in list_feedback(store)] == sorted([first, second, third])
    assert [row["status_reason"] for row in list_feedback(store, status="rejected")] == ["wrong"]
    assert [row["client_key"] for row in list_feedback(store, database_id="atis", source="app")] == ["k3"]
    assert len(list_feedback(store, limit=2)) == 2
    with pytest.raises(ValueError, match="open"):
        list_feedback(store, status="open")


def test_feedback_that_does_not_exist_is_named(store: Store) -> None:
    with pytest.raises(UnknownFeedbackError, match="nobody"):
        get_feedback(store, "nobody")
