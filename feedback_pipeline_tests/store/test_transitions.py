from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.store import (
    Event,
    IllegalTransitionError,
    Status,
    Store,
    allowed_events,
    get_feedback,
    status_after,
    transition,
)
from feedback_pipeline.store.transitions import ALLOWED_FROM, TARGET, next_status
from feedback_pipeline_tests.store.samples import submit_as

PAIRS = list(product(Status, ALLOWED_FROM))
LEGAL = [(status, event) for status, event in PAIRS if status in ALLOWED_FROM[event]]
ILLEGAL = [pair for pair in PAIRS if pair not in LEGAL]


@pytest.mark.parametrize(("status", "event"), ILLEGAL)
def test_an_illegal_transition_names_record_status_and_what_is_allowed(status: Status, event: Event) -> None:
    with pytest.raises(IllegalTransitionError) as caught:
        next_status("f1", status, event)

    text = str(caught.value)
    assert text.startswith(f"Feedback f1 is {status} and cannot be {event}")
    assert all(allowed in text for allowed in allowed_events(status))


@given(st.lists(st.sampled_from(list(Event))))
def test_status_is_the_fold_of_the_legal_events(events: list[Event]) -> None:
    status, happened = Status.PENDING, []
    for event in events:
        try:
            status = next_status("f1", status, event)
        except IllegalTransitionError:
            continue
        happened.append(event)

    assert status_after(["submitted", "checked", *happened]) == status


def test_the_store_allows_what_the_table_allows(store: Store) -> None:
    for number, (status, event) in enumerate(LEGAL):
        feedback_id = submit_as(store, status, f"k{number}")

        transition(store, feedback_id, event, actor="ada", reason="because")

        after = get_feedback(store, feedback_id)
        assert after["status"] == TARGET[event]
        assert after["status_reason"] == "because"
        assert after["status"] == status_after(entry["event"] for entry in after["history"])


def test_the_store_refuses_what_the_table_forbids(store: Store) -> None:
    for number, (status, event) in enumerate(pair for pair in ILLEGAL if TARGET[pair[1]] != pair[0]):
        feedback_id = submit_as(store, status, f"k{number}")
        before = get_feedback(store, feedback_id)

        with pytest.raises(IllegalTransitionError, match=f"{feedback_id} is {status}"):
            transition(store, feedback_id, event, actor="ada")

        assert get_feedback(store, feedback_id) == before
