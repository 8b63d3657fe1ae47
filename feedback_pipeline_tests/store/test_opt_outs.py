from dataclasses import replace

import pytest

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    NOT_STORED,
    Interaction,
    OptedOutError,
    Status,
    Store,
    get_feedback,
    list_feedback,
    open_store,
    opt_out,
    rate,
    record_many,
    submit_many,
    undo_opt_out,
)
from feedback_pipeline_tests.store.running import together
from feedback_pipeline_tests.store.samples import PATHS, submission, submit, submit_as

ANN = "ann@example.com"


@pytest.mark.parametrize("status", PATHS)
def test_what_a_user_gave_is_withdrawn_whatever_became_of_it(store: Store, status: Status) -> None:
    feedback_id = submit_as(store, status)

    done = opt_out(store, store.hash_user(ANN))

    feedback = get_feedback(store, feedback_id)
    assert feedback["status"] == "withdrawn"
    assert done.withdrawn == ([] if status is Status.WITHDRAWN else [feedback_id])
    assert [event["event"] for event in feedback["history"]].count("withdrawn") == 1
    if status is not Status.WITHDRAWN:
        assert (feedback["history"][-1]["reason"], feedback["status_reason"]) == ("opted out", "opted out")


def test_others_are_left_alone_and_again_changes_nothing(store: Store) -> None:
    [bob] = submit(store, "b", user_id="bob")
    submit(store, "a")

    first, second = opt_out(store, store.hash_user(ANN)), opt_out(store, store.hash_user(ANN))

    assert (first.known, len(first.withdrawn)) == (False, 1)
    assert (second.known, second.withdrawn) == (True, [])
    assert get_feedback(store, bob)["status"] == "pending"


def test_unsigned_feedback_on_an_answer_the_user_got_is_theirs(store: Store) -> None:
    [(hers, _), (his, _)] = record_many(
        store, [Interaction("text2sql", "how many?", user_id=ANN), Interaction("text2sql", "why?", user_id="bob")]
    )
    items = [submission("a", user_id=None, interaction_id=hers), submission("b", user_id=None, interaction_id=his)]
    [first, _] = submit_many(store, items)

    assert opt_out(store, store.hash_user(ANN)).withdrawn == [first.feedback_id]


def test_nothing_more_gets_in(store: Store) -> None:
    [known] = submit(store, "k1")
    [(answer, _)] = record_many(store, [Interaction("rag", "why?", user_id=ANN, client_key="i1")])
    opt_out(store, store.hash_user(ANN))
    items = [submission("k1"), submission("b", user_id="bob"), submission("k2"), submission("c", user_id=None)]

    results = submit_many(store, items)
    recorded = record_many(store, [Interaction("rag", "more?", user_id=ANN), Interaction("rag", "he?", user_id="bob")])

    assert [result.opted_out for result in results] == [True, False, True, False]
    assert {row["client_key"] for row in list_feedback(store)} == {"k1", "b", "c"}
    assert results[0].feedback_id == ""
    assert get_feedback(store, known)["status"] == "withdrawn"
    assert recorded[0] == (NOT_STORED, False)
    assert recorded[1][1]
    with pytest.raises(OptedOutError, match=f"interaction {answer} has opted out: the rating was not stored"):
        rate(store, answer, 1)


def test_undone_new_feedback_gets_in_and_withdrawn_stays_withdrawn(store: Store) -> None:
    [old] = submit(store, "k1")
    opt_out(store, store.hash_user(ANN))

    assert undo_opt_out(store, store.hash_user(ANN))
    assert not undo_opt_out(store, store.hash_user(ANN))
    [new] = submit_many(store, [replace(submission("k2"))])
    assert (new.created, get_feedback(store, old)["status"]) == (True, "withdrawn")


def test_nothing_slips_in_beside_an_opt_out(store: Store, store_settings: Settings) -> None:
    other = open_store(store_settings)
    user_hash = store.hash_user(ANN)

    together(
        *[lambda n=n: submit_many(other, [submission(f"k{n}/{i}") for i in range(20)]) for n in range(4)],
        lambda: opt_out(store, user_hash),
    )

    assert {row["status"] for row in list_feedback(store)} <= {"withdrawn"}
    other.close()
