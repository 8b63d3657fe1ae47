"""Why rows differ between two versions: from the events of their feedback, and from what a version has left out."""

from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.dataset_history import Cause, explain
from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.content.selection import DROPPED_ROWS, ReleasePolicy
from feedback_pipeline.finetune.publishing.release import Surroundings
from feedback_pipeline.finetune.reading.diff import KINDS, compare, differences
from feedback_pipeline.store import Status, Store, decide
from feedback_pipeline.store.erasures import close_erasure, request_erasure
from feedback_pipeline.store.histories import histories
from feedback_pipeline.store.user_records import remove_user
from feedback_pipeline_tests.finetune.versions import example, publish
from feedback_pipeline_tests.store.samples import submit, submit_as

OTHER = example(99)


def why(root: Path, before: Release, after: Release, store: Store | None) -> dict[str, list[tuple[Cause, ...]]]:
    """Return what explains the rows of each kind."""
    diff = compare(ReleaseCatalog(str(root)), before, after)
    rows = {kind: differences(diff, kind) for kind in KINDS}
    return {kind: explain(diff, some, store) for kind, some in rows.items()}


def told(causes: tuple[Cause, ...]) -> list[str]:
    return [cause.text for cause in causes]


def left_out_earlier(feedback_id: str, reason: str, stage: str = "verified_feedback") -> Surroundings:
    """Surroundings in which an earlier stage has left a feedback out."""
    row = {"stage": stage, "reason": reason, "row_id": None, "feedback_ids": [feedback_id], "detail": None}
    return Surroundings(dropped_earlier=DROPPED_ROWS.empty_table().from_pylist([row], DROPPED_ROWS))


def test_histories_tell_events_in_order_and_nothing_of_whom_nobody_knows(store: Store) -> None:
    feedback_id = submit_as(store, Status.STALE)

    found = histories(store, [feedback_id, "nobody"])

    assert [(event.event, event.actor) for event in found[feedback_id]] == [
        ("submitted", "import"),
        ("verified", "ada"),
        ("stale", "ada"),
    ]
    assert list(found) == [feedback_id]


def test_an_added_row_is_explained_by_who_verified_it(tmp_path: Path, store: Store) -> None:
    feedback_id = submit_as(store, Status.APPLIED)
    before = publish(tmp_path, [OTHER])
    after = publish(tmp_path, [OTHER, example(1, feedback_ids=[feedback_id])])

    [[cause]] = why(tmp_path, before, after, store)["added"]

    assert (cause.text, cause.event, cause.actor, cause.feedback_id) == ("verified", "verified", "ada", feedback_id)
    assert cause.at == histories(store, [feedback_id])[feedback_id][1].at


def test_an_added_row_that_was_left_out_before_says_why(tmp_path: Path, store: Store) -> None:
    strict = ReleasePolicy(min_rating=4, validation_percent=10, test_percent=10, min_evidence="executed")
    proven = example(99, evidence="executed")
    before = publish(tmp_path, [proven, example(1)], policy=strict, surroundings=left_out_earlier("f2", "conflict"))
    after = publish(tmp_path, [proven, example(1), example(2)])

    first, second = why(tmp_path, before, after, store)["added"]

    assert told(first) == ["v1 left it out: evidence below executed"]
    assert second == (Cause("v1 left its feedback out: conflict", "f2"),)


@pytest.mark.parametrize(
    ("event", "reason"),
    [("rejected", "rejected"), ("withdrawn", "withdrawn"), ("superseded", "superseded"), ("stale", "stale")],
)
def test_a_removed_row_is_explained_by_what_took_its_feedback_out_of_use(
    tmp_path: Path, store: Store, event: str, reason: str
) -> None:
    feedback_id = submit_as(store, Status.APPLIED)
    decide(store, [feedback_id], event, actor="grace", reason="wrong table")
    before = publish(tmp_path, [OTHER, example(1, feedback_ids=[feedback_id])])
    after = publish(tmp_path, [OTHER], surroundings=left_out_earlier(feedback_id, reason))

    [[cause]] = why(tmp_path, before, after, store)["removed"]

    assert (cause.text, cause.actor, cause.reason, cause.feedback_id) == (event, "grace", "wrong table", feedback_id)


def test_feedback_that_was_reopened_is_pending(tmp_path: Path, store: Store) -> None:
    feedback_id = submit_as(store, Status.APPLIED)
    decide(store, [feedback_id], "reopened", actor="grace")
    before = publish(tmp_path, [OTHER, example(1, feedback_ids=[feedback_id])])
    after = publish(tmp_path, [OTHER], surroundings=left_out_earlier(feedback_id, "pending"))

    [[cause]] = why(tmp_path, before, after, store)["removed"]

    assert (cause.event, cause.actor) == ("reopened", "grace")


def test_what_happened_after_the_later_version_explains_nothing(tmp_path: Path, store: Store) -> None:
    feedback_id = submit_as(store, Status.APPLIED)
    decide(store, [feedback_id], "rejected", actor="grace")
    before = publish(tmp_path, [OTHER, example(1, feedback_ids=[feedback_id])])
    after = publish(tmp_path, [OTHER], surroundings=left_out_earlier(feedback_id, "rejected"))
    decide(store, [feedback_id], "reopened", actor="ada")
    decide(store, [feedback_id], "verified", actor="ada")

    [[cause]] = why(tmp_path, before, after, store)["removed"]

    assert (cause.event, cause.actor) == ("rejected", "grace")


def test_a_conflict_is_told_although_its_feedback_was_once_rejected(tmp_path: Path, store: Store) -> None:
    [feedback_id] = submit(store, "k1")
    for event in ("rejected", "reopened", "verified"):
        decide(store, [feedback_id], event, actor="ada")
    before = publish(tmp_path, [OTHER, example(1, feedback_ids=[feedback_id])])
    conflict = left_out_earlier(feedback_id, "conflict", "deduped_feedback")
    after = publish(tmp_path, [OTHER], surroundings=conflict)

    assert why(tmp_path, before, after, store)["removed"] == [(Cause("left out: conflict", feedback_id),)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"min_evidence": "executed"}, "evidence below executed"),
        ({"min_weight": 2.0}, "weight below 2"),
        ({"max_question_chars": 5}, "question longer than 5 characters"),
        ({"max_rows_per_user": 1}, "beyond the 1 rows of one user"),
    ],
)
def test_a_row_that_thresholds_leave_out_is_explained_by_them(
    tmp_path: Path, store: Store, changes: dict[str, Any], reason: str
) -> None:
    [feedback_id] = submit(store, "k1")
    for event in ("rejected", "reopened", "verified"):
        decide(store, [feedback_id], event, actor="ada")
    kept = example(0, evidence="executed", weight=2.0, natural_query="Who?", feedback_ids=["f0"])
    rows = [kept, example(1, feedback_ids=[feedback_id])]
    before = publish(tmp_path, rows)
    policy = ReleasePolicy(**{"min_rating": 4, "validation_percent": 10, "test_percent": 10, **changes})
    of_one_user = Surroundings(user_of={"f0": "u", feedback_id: "u"})
    after = publish(tmp_path, rows, policy=policy, surroundings=of_one_user)

    assert why(tmp_path, before, after, store)["removed"] == [(Cause(f"left out: {reason}"),)]


def test_erased_feedback_is_told_by_the_journal(tmp_path: Path, store: Store) -> None:
    feedback_id = submit_as(store, Status.VERIFIED)
    user = store.hash_user("ann@example.com")
    erasure = request_erasure(store, user)
    remove_user(store, user)
    close_erasure(store, erasure.erasure_id, {}, done=True)
    before = publish(tmp_path, [OTHER, example(1, feedback_ids=[feedback_id])])
    after = publish(tmp_path, [OTHER])

    assert why(tmp_path, before, after, store)["removed"] == [(Cause("erased", feedback_id),)]


def test_a_question_with_another_spelling_names_the_row_to_see(tmp_path: Path, store: Store) -> None:
    before = publish(tmp_path, [example(1)])
    after = publish(tmp_path, [example(2, canonical_question="question 1", feedback_ids=["f1", "f2"])])

    causes = why(tmp_path, before, after, store)

    assert told(causes["removed"][0]) == [f"the question is answered in another spelling now: see row {2:016x}"]
    assert told(causes["added"][0]) == [f"the question had another answer before: row {1:016x}"]


def test_further_feedback_explains_a_changed_row(tmp_path: Path, store: Store) -> None:
    first, second, third = submit(store, "k1", "k2", "k3")
    decide(store, [first, second, third], "verified", actor="ada")
    decide(store, [second], "rejected", actor="grace")
    before = publish(tmp_path, [example(1, feedback_ids=[first, second], weight=2.0)])
    after = publish(tmp_path, [example(1, feedback_ids=[first, third], weight=1.5, contributors=2)])

    [causes] = why(tmp_path, before, after, store)["changed"]

    assert [(one.event, one.feedback_id) for one in causes] == [("verified", third), ("rejected", second)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_fingerprint": "s2"}, "the schema of the database is another"),
        ({"evidence": "executed"}, "proven as far as 'executed', before as far as 'parsed'"),
        ({"cluster_id": "c2"}, "its group of near-duplicates and like queries is another"),
        ({"weight": 0.5}, "weights were scaled anew, so that no user holds more than their share"),
        ({"generated_sql": "SELECT 0", "results_differ": None}, "another wrong answer stands beside it"),
        ({"natural_query": "question 1"}, "another wording of the question speaks for it"),
    ],
)
def test_a_changed_row_with_the_same_feedback_is_explained_by_its_columns(
    tmp_path: Path, store: Store, changes: dict[str, Any], words: str
) -> None:
    before = publish(tmp_path, [OTHER, example(1)])
    after = publish(tmp_path, [OTHER, example(1, **changes)])

    assert why(tmp_path, before, after, store)["changed"] == [(Cause(words),)]


def test_a_moved_row_is_explained_by_its_group(tmp_path: Path, store: Store) -> None:
    rows = [example(number) for number in range(60)]
    before = publish(tmp_path, rows)
    splits = ReleaseCatalog(str(tmp_path)).record_of(before).splits
    held_out, trained = int((splits == 2).argmax()), int((splits == 0).argmax())
    rows[trained] = example(trained, cluster_id=f"cluster {held_out}")
    after = publish(tmp_path, rows)

    [causes] = why(tmp_path, before, after, store)["moved"]

    assert told(causes)[0] == "its group met one in 'test': what is alike is never on both sides"


def test_without_a_store_the_files_tell_what_they_know(tmp_path: Path) -> None:
    before = publish(tmp_path, [OTHER, example(1), example(2)])
    after = publish(tmp_path, [OTHER, example(3)], surroundings=left_out_earlier("f1", "rejected"))

    causes = why(tmp_path, before, after, None)

    assert causes["removed"] == [(Cause("left out: rejected", "f1"),), (Cause("not known without the store"),)]
    assert causes["added"] == [(Cause("not known without the store"),)]
