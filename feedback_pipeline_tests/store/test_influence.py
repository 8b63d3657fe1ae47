"""How uses of examples are counted for the feedback they rest on, and what the store says of feedback at a glance."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
import uuid_utils
from sqlalchemy import func, select

from feedback_pipeline.store import (
    CheckRecord,
    Interaction,
    RetrievedExample,
    Speaker,
    Status,
    Store,
    count_records,
    record_checks,
    record_many,
    remove_user,
)
from feedback_pipeline.store.counting.uses import last_uses, queries_by_example
from feedback_pipeline.store.example_sources import note_sources
from feedback_pipeline.store.feedback_pages import feedback_page
from feedback_pipeline.store.influence import GivenExample, Retrieval, Use, record_retrievals, uses_of
from feedback_pipeline.store.models import ExampleSourceRow, RetrievalExampleRow, RetrievalRow
from feedback_pipeline.store.standing import standings
from feedback_pipeline_tests.store.samples import MOMENT, submit, submit_as

ANN = "ann@example.com"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def retrieval(*example_ids: str, at: datetime = NOON, withheld: Iterable[str] = (), **changes) -> Retrieval:
    given = [GivenExample(one, rank, 0.5, one in withheld) for rank, one in enumerate(example_ids, start=1)]
    return Retrieval(
        **{"retrieval_id": str(uuid_utils.uuid7()), "database_id": "geo", "at": at, "examples": given} | changes
    )


def answered(*example_ids: str, withheld: bool = False, **changes) -> Interaction:
    examples = [RetrievedExample(one, rank, withheld=withheld) for rank, one in enumerate(example_ids, start=1)]
    return Interaction(
        **{"kind": "text2sql", "natural_query": "q", "database_id": "geo", "examples": examples, "created_at": NOON}
        | changes
    )


def stored(store: Store, column) -> int:
    with store.read() as session:
        return session.scalar(select(func.count(column))) or 0


def test_a_feedback_never_used_has_zero_uses(store: Store):
    [feedback_id] = submit(store, "a")
    note_sources(store, [("e1", feedback_id)])

    assert uses_of(store, [feedback_id]) == {feedback_id: Use(0, None)}


def test_retrievals_and_reports_add_up_and_the_latest_tells_the_time(store: Store):
    [a, b] = submit(store, "a", "b")
    note_sources(store, [("e1", a), ("e2", b)])
    record_retrievals(
        store, [retrieval("e1", at=NOON - timedelta(hours=2)), retrieval("e1", "e2", at=NOON - timedelta(hours=1))]
    )
    record_many(store, [answered("e1")])

    uses = uses_of(store, [a, b])

    assert uses == {a: Use(3, NOON), b: Use(1, NOON - timedelta(hours=1))}


def test_a_query_counts_once_for_a_feedback_behind_several_examples(store: Store):
    [a] = submit(store, "a")
    note_sources(store, [("e1", a), ("e2", a)])
    record_retrievals(store, [retrieval("e1", "e2"), retrieval("e2")])

    assert uses_of(store, [a])[a].queries == 2


def test_what_was_withheld_is_no_use(store: Store):
    [a] = submit(store, "a")
    note_sources(store, [("e1", a)])
    record_retrievals(store, [retrieval("e1", withheld=["e1"])])
    record_many(store, [answered("e1", withheld=True)])

    assert uses_of(store, [a])[a] == Use(0, None)
    with store.read() as session:
        assert session.scalars(select(RetrievalRow.shown)).all() == [0]


def test_an_interaction_that_names_its_retrieval_is_not_counted_twice(store: Store):
    [a] = submit(store, "a")
    note_sources(store, [("e1", a)])
    given = retrieval("e1")
    record_retrievals(store, [given])
    record_many(store, [answered("e1", retrieval_id=given.retrieval_id)])

    assert uses_of(store, [a])[a].queries == 1


def test_writing_a_batch_again_changes_nothing(store: Store):
    batch = [retrieval("e1"), retrieval("e1", "e2")]

    record_retrievals(store, batch)
    record_retrievals(store, [*batch, retrieval("e3")])

    assert (stored(store, RetrievalRow.retrieval_id), stored(store, RetrievalExampleRow.example_id)) == (3, 4)


def test_only_interactions_that_exist_are_named(store: Store):
    [(number, _)] = record_many(store, [answered()])
    known, unknown = retrieval(interaction_id=number), retrieval(interaction_id=number + 1_000)

    record_retrievals(store, [known, unknown])

    with store.read() as session:
        rows = session.execute(select(RetrievalRow.retrieval_id, RetrievalRow.interaction_id)).tuples().all()
    assert dict(rows) == {known.retrieval_id: number, unknown.retrieval_id: None}


@pytest.mark.parametrize("database_id", ["other", None])
def test_examples_reported_about_another_database_are_no_use(store: Store, database_id: str | None):
    [a] = submit(store, "a")
    note_sources(store, [("e1", a)])

    record_many(store, [answered("e1", database_id=database_id)])

    assert uses_of(store, [a])[a] == Use(0, None)
    with store.read() as session:
        assert queries_by_example(session) == {}
        assert last_uses(session, ["e1"]) == {}


def test_both_ways_of_counting_reports_agree(store: Store):
    [a, b] = submit(store, "a", "b")
    note_sources(store, [("e1", a), ("e1", b)])

    record_many(store, [answered("e1", "e1"), answered("e1"), answered("e1", database_id="other")])

    assert {use.queries for use in uses_of(store, [a, b]).values()} == {2}
    with store.read() as session:
        assert queries_by_example(session) == {"e1": 2}
        assert last_uses(session, ["e1"]) == {"e1": NOON}


@pytest.mark.parametrize(
    ("of", "speaker", "is_named"),
    [
        ({"user_id": "bob"}, ANN, False),
        ({"user_id": ANN}, ANN, True),
        ({"user_id": None}, ANN, True),
        ({"user_id": ANN}, None, False),
        ({"user_id": ANN, "database_id": "other"}, ANN, False),
        ({"user_id": ANN, "database_id": None}, ANN, True),
    ],
)
def test_a_speaker_names_only_interactions_of_their_own_about_the_same_database(
    store: Store, of: dict, speaker: str | None, is_named: bool
):
    [(number, _)] = record_many(store, [answered(**of)])
    spoken_for = Speaker(None if speaker is None else store.hash_user(speaker))

    record_retrievals(store, [retrieval(interaction_id=number, speaker=spoken_for)])

    with store.read() as session:
        assert session.scalars(select(RetrievalRow.interaction_id)).all() == [number if is_named else None]


def test_erasing_a_user_leaves_look_ups_of_other_databases_that_they_claimed(store: Store):
    foreign = retrieval("e1")
    record_retrievals(store, [foreign])
    record_many(store, [answered(user_id=ANN, database_id="other", retrieval_id=foreign.retrieval_id)])

    removed = remove_user(store, store.hash_user(ANN))

    assert (removed["interactions"], removed["retrievals"]) == (1, 0)
    assert stored(store, RetrievalRow.retrieval_id) == 1


def test_sources_are_noted_once_and_only_of_feedback_that_is_there(store: Store):
    [a, b] = submit(store, "a", "b")

    assert note_sources(store, [("e1", a), ("e1", b), ("e2", a), ("e1", "gone")]) == 3
    assert note_sources(store, [("e2", b), ("e1", a), ("e1", "gone")]) == 1
    assert note_sources(store, []) == 0

    assert stored(store, ExampleSourceRow.example_id) == 4


def test_erasing_a_user_takes_the_look_ups_for_their_questions_along(store: Store):
    named = retrieval("e1")
    numbers = record_many(
        store,
        [
            answered(user_id=ANN, retrieval_id=named.retrieval_id),
            answered(user_id=ANN),
            answered(user_id="bob"),
        ],
    )
    naming, bobs, nobodys = (
        retrieval("e1", "e2", interaction_id=numbers[1][0]),
        retrieval("e1", interaction_id=numbers[2][0]),
        retrieval("e1"),
    )
    record_retrievals(store, [named, naming, bobs, nobodys])
    [anns] = submit(store, "a", user_id=ANN)
    note_sources(store, [("e1", anns)])

    removed = remove_user(store, store.hash_user(ANN))

    assert (removed["interactions"], removed["retrievals"], removed["retrieval_examples"]) == (2, 2, 3)
    assert set(count_records(store, store.hash_user(ANN)).values()) == {0}
    with store.read() as session:
        left = set(session.scalars(select(RetrievalRow.retrieval_id)))
    assert left == {bobs.retrieval_id, nobodys.retrieval_id}
    assert (stored(store, RetrievalExampleRow.example_id), stored(store, ExampleSourceRow.example_id)) == (2, 0)


@pytest.mark.parametrize("status", list(Status))
def test_only_what_is_verified_or_applied_is_in_use(store: Store, status: Status):
    feedback_id = submit_as(store, status)

    assert standings(store, [feedback_id])[feedback_id].in_use == (status in {Status.VERIFIED, Status.APPLIED})


def test_feedback_that_is_gone_has_no_standing(store: Store):
    assert standings(store, ["gone"]) == {}


def test_unsigned_feedback_is_owned_by_whoever_got_the_answer(store: Store):
    [(number, _)] = record_many(store, [answered(user_id=ANN)])
    [signed] = submit(store, "a", user_id="bob", interaction_id=number)
    [unsigned] = submit(store, "b", user_id=None, interaction_id=number)
    [nobodys] = submit(store, "c", user_id=None)

    found = standings(store, [signed, unsigned, nobodys])

    owners = [found[i].owner for i in (signed, unsigned, nobodys)]
    assert owners == [store.hash_user("bob"), store.hash_user(ANN), None]


@pytest.mark.parametrize(
    ("texts", "checks", "corrects"),
    [
        ({"generated_sql": "SELECT 1", "corrected_sql": "SELECT 2"}, None, True),
        ({"generated_sql": "SELECT 1", "corrected_sql": "SELECT 2"}, {"is_error_pair": True}, True),
        ({"generated_sql": "SELECT 1", "corrected_sql": "select 1"}, {"is_error_pair": False}, False),
        ({"generated_sql": "SELECT 1", "corrected_sql": "SELECT 1"}, None, False),
        ({"generated_sql": None, "corrected_sql": "SELECT 1"}, {"is_error_pair": False}, True),
        ({"generated_sql": "SELECT 1", "corrected_sql": None, "rating": 5}, {"is_error_pair": False}, False),
    ],
)
def test_a_correction_puts_another_answer_in_place_of_the_models(
    store: Store, texts: dict, checks: dict | None, corrects: bool
):
    [feedback_id] = submit(store, "a", passed=None, **texts)
    if checks is not None:
        record_checks(store, [CheckRecord(feedback_id, checks, "v1", True)])

    assert standings(store, [feedback_id])[feedback_id].corrects == corrects


def test_pages_are_newest_first_and_miss_nothing_of_one_moment(store: Store):
    same = submit(store, "a", "b", "c", created_at=MOMENT)
    [newer] = submit(store, "d", created_at=MOMENT + timedelta(microseconds=1))
    expected = [newer, *sorted(same, reverse=True)]

    found, after = [], None
    while page := feedback_page(store, limit=2, after=after):
        found += [row["feedback_id"] for row in page]
        after = page[-1]["created_at"], page[-1]["feedback_id"]

    assert found == expected


def test_pages_hold_what_was_asked_for(store: Store):
    [(number, _)] = record_many(store, [answered(user_id=ANN)])
    [signed] = submit(store, "a", user_id=ANN)
    [unsigned] = submit(store, "b", user_id=None, interaction_id=number)
    [elsewhere] = submit(store, "c", user_id=ANN, database_id="shop")
    [bobs] = submit(store, "d", user_id="bob")
    verified = submit_as(store, Status.VERIFIED, "e")

    def ids(**wanted) -> set[str]:
        return {row["feedback_id"] for row in feedback_page(store, limit=10, **wanted)}

    assert ids(user_hash=store.hash_user(ANN)) == {signed, unsigned, elsewhere, verified}
    assert ids(user_hash=store.hash_user(ANN), databases={"geo"}) == {signed, unsigned, verified}
    assert ids(databases=set()) == set()
    assert ids(status="verified") == {verified}
    assert bobs in ids()
