from datetime import timedelta

from feedback_pipeline.store import CheckRecord, Store, decide, ids_by_status, list_feedback, record_checks
from feedback_pipeline.store.queries import flagged_ids, outlines, submissions_around_pending
from feedback_pipeline_tests.store.samples import MOMENT, submit


def check(store: Store, feedback_id: str, **document: object) -> None:
    record_checks(store, [CheckRecord(feedback_id, document, "v2", True)])


def test_the_list_can_be_limited_to_some_ids(store: Store) -> None:
    ids = sorted(submit(store, "k1", "k2", "k3"))

    found = list_feedback(store, only=[ids[2], ids[1], "nobody"], limit=1)

    assert [row["feedback_id"] for row in found] == [ids[1]]
    assert list_feedback(store, only=[]) == []


def test_flags_are_found_in_the_evidence(store: Store) -> None:
    odd, plain, unchecked = (*submit(store, "odd"), *submit(store, "plain"), *submit(store, "unchecked", passed=None))
    check(store, odd, flags=["instruction"])
    check(store, plain, flags=[])

    assert flagged_ids(store) == {odd}
    assert flagged_ids(store, status="verified") == flagged_ids(store, database_id="atis") == set()
    assert unchecked in ids_by_status(store, "pending")


def test_outlines_hold_the_safe_question_and_the_canonical_sql(store: Store) -> None:
    cleaned, plain, other = (*submit(store, "k1"), *submit(store, "k2"), *submit(store, "k3", database_id="atis"))
    check(store, cleaned, safe_question="who is <PERSON>", canonical_sql="SELECT 1")

    found = {outline.feedback_id: outline for outline in outlines(store, ["pending"], database_ids=["geo"])}

    assert set(found) == {cleaned, plain}
    assert (found[cleaned].question, found[cleaned].canonical_sql) == ("who is <PERSON>", "SELECT 1")
    assert (found[plain].question, found[plain].canonical_sql) == ("how many rivers are in k2", None)
    assert len(outlines(store, ["pending"])) == 3
    assert outlines(store, ["verified"]) == outlines(store, ["pending"], database_ids=[]) == []
    assert ids_by_status(store, "pending", database_id="atis") == {other}


def test_times_are_those_of_users_who_wait_for_a_decision(store: Store) -> None:
    waiting, near, far, done, nobody = (
        *submit(store, "k1"),
        *submit(store, "k2", created_at=MOMENT + timedelta(minutes=9)),
        *submit(store, "k3", created_at=MOMENT + timedelta(minutes=11)),
        *submit(store, "k4", user_id="bob"),
        *submit(store, "k5", user_id=None),
    )
    decide(store, [near, far, done], "verified", actor="ada")

    table = submissions_around_pending(store, timedelta(minutes=10))

    assert set(table["feedback_id"].to_pylist()) == {waiting, near}
    assert nobody not in table["feedback_id"].to_pylist()


def test_without_anything_pending_there_are_no_times(store: Store) -> None:
    assert submissions_around_pending(store, timedelta(minutes=10)).num_rows == 0
