"""What many thumbs come to: rows of good and bad passages per question, the same however the input is dealt out."""

from collections import defaultdict
from datetime import timedelta
from math import log2
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.reranker.triplets import (
    SURFACED_WEIGHT,
    TripletPolicy,
    TripletResult,
    build_triplets,
    effective_triplets,
    effective_voices,
)
from feedback_pipeline.schemas import RERANKER_DROPPED, RERANKER_QUERIES, ContractError, require
from feedback_pipeline_tests.reranker.rated import START, built, chunk, dropped, interaction, judged, table

LONG = "how do I book a room for a meeting with guests on the ground floor"
NEARLY_LONG = LONG.replace("guests", "visitors")
QUESTIONS = ["leave", "Leave?", "how much is lunch", LONG, NEARLY_LONG]


def test_raters_who_disagree_cancel():
    result = built(interaction(1, 1, "a", "b"), interaction(2, -1, "a"))

    assert judged(result) == {"positive": {"b": 0.630929754}, "negative": {}}
    assert dropped(result) == {(1, 1): "raters disagree", (2, 1): "raters disagree"}


def test_the_majority_holds_by_what_it_is_larger():
    result = built(*(interaction(number, 1, "a") for number in range(3)), interaction(3, -1, "a"))

    (row,) = result.rows.to_pylist()
    assert judged(result)["positive"] == {"a": 2.0}
    assert row["positive_interactions"] == [["0", "1", "2"]]
    assert row["interaction_ids"] == ["0", "1", "2", "3"]
    assert row["contributors"] == 4
    assert dropped(result) == {(3, 1): "raters disagree"}


def test_what_was_surfaced_is_no_negative_where_somebody_found_it_good():
    result = built(interaction(1, 1, chunk("a", 1, True), chunk("b", 2, False)), interaction(2, 1, "b"))

    assert judged(result) == {"positive": {"a": 1.0, "b": 1.0}, "negative": {}}
    assert dropped(result) == {(1, 2): "positive for the same question"}


def test_what_was_surfaced_adds_to_what_was_rated_down():
    result = built(interaction(1, 1, chunk("a", 1, True), chunk("b", 1, False)), interaction(2, -1, "b"))

    assert judged(result)["negative"] == {"b": 1 + SURFACED_WEIGHT}
    assert result.rows["negative_origins"].to_pylist() == [["rated"]]


def test_a_passage_that_helped_with_a_near_duplicate_is_no_negative():
    result = built(interaction(1, 1, "a", natural_query=LONG), interaction(2, -1, "a", "b", natural_query=NEARLY_LONG))

    rows = {row["query"]: row for row in result.rows.to_pylist()}
    assert rows[LONG]["positives"] == ["a"]
    assert rows[NEARLY_LONG]["negatives"] == ["b"]
    assert rows[LONG]["cluster_id"] == rows[NEARLY_LONG]["cluster_id"] == min(row["row_id"] for row in rows.values())
    assert dropped(result) == {(2, 1): "positive for a near-duplicate question"}


def test_the_same_question_to_two_sources_is_two_rows_of_one_cluster():
    result = built(interaction(1, 1, "a"), interaction(2, -1, "b", database_id=None))

    rows = result.rows.to_pylist()
    assert sorted(row["source"] for row in rows) == ["", "handbook"]
    assert len({row["cluster_id"] for row in rows}) == 1


def test_a_question_stands_as_most_voices_spelled_it():
    rows = [
        interaction(1, 1, "a", natural_query="leave ?"),
        interaction(2, 1, "a", natural_query="Leave"),
        interaction(3, 1, "b", natural_query="Leave"),
        *(interaction(number, 1, "a", natural_query="LEAVE", user_hash="ann") for number in range(4, 9)),
    ]

    (row,) = built(*rows).rows.to_pylist()

    assert row["query"] == "Leave"


def test_personal_data_is_replaced_before_questions_are_told_apart():
    rows = [
        interaction(1, 1, "a", natural_query="Where is the parcel of ana@example.org?"),
        interaction(2, 1, "a", natural_query="where is the parcel of ben@example.org"),
    ]

    (row,) = built(*rows).rows.to_pylist()

    assert row["query"] == "Where is the parcel of <EMAIL_ADDRESS>?"
    assert row["positive_weights"] == [2.0]


def test_each_distinct_question_that_may_become_a_row_is_cleaned_once():
    seen: list[str] = []

    def clean(texts: Any) -> list[str]:
        seen.extend(texts)
        return [text.upper() for text in texts]

    rows = [interaction(1, 1, "a"), interaction(2, 1, "a"), interaction(3, None, "a", natural_query="unrated")]
    result = build_triplets([table(*rows)], TripletPolicy(), clean)

    assert seen == ["How many days of leave do I have?"]
    assert result.rows["query"].to_pylist() == ["HOW MANY DAYS OF LEAVE DO I HAVE?"]


def test_blank_questions_are_dropped():
    assert dropped(built(interaction(1, 1, "a", natural_query=" \n"))) == {(1, None): "blank question"}


def test_any_script_and_sign_comes_through():
    texts = ["\U0001f44d \U00020000", "\U0010ffff", "e\u0301", "\u200f\u05d0"]

    result = built(interaction(1, 1, *texts, natural_query="\U0001f600 \U00020000?"))

    assert set(judged(result)["positive"]) == set(texts)


def test_a_row_weighs_as_much_as_its_weaker_side_and_at_most_one():
    heavy = [interaction(number, 1, "a") for number in range(3)] + [interaction(9, -1, chunk("b", 3))]

    assert built(*heavy).rows["weight"].to_pylist() == [0.5]
    assert built(*heavy[:3]).rows["weight"].to_pylist() == [0.0]
    assert built(interaction(1, 1, "a"), interaction(2, 1, "a"), interaction(3, -1, "b"), interaction(4, -1, "b")).rows[
        "weight"
    ].to_pylist() == [1.0]


@pytest.mark.parametrize(("thumb", "empty"), [(1, "negatives"), (-1, "positives")])
def test_ratings_all_of_one_kind_give_rows_of_one_side(thumb: int, empty: str):
    result = built(*(interaction(number, thumb, "a", "b") for number in range(5)))

    (row,) = result.rows.to_pylist()
    assert row[empty] == []
    assert (result.counts["rows_with_both_sides"], result.counts["triplets"], effective_triplets(result)) == (0, 0, 0)


def test_nothing_gives_nothing():
    for tables in ([], [table()]):
        result = build_triplets(tables, TripletPolicy())

        assert result.rows.equals(RERANKER_QUERIES.empty_table())
        assert result.dropped.num_rows == effective_triplets(result) == 0


def test_a_table_without_a_column_is_refused_by_name():
    with pytest.raises(ContractError, match=r"raw_interactions: missing column\(s\) user_hash"):
        build_triplets([table(interaction(1, 1, "a")).drop(["user_hash"])], TripletPolicy())


def test_rows_come_in_batches_that_are_the_same_rows(monkeypatch: pytest.MonkeyPatch):
    rows = [interaction(n, 1, "a" * n, chunk("b", 2, n % 2 == 0), natural_query=f"question {n}") for n in range(40)]
    whole = built(*rows).rows
    monkeypatch.setattr("feedback_pipeline.reranker.ratings.query_rows._BATCH_BYTES", 100)

    batches = list(built(*rows).batches())

    assert len(batches) > 3
    assert pa.Table.from_batches(batches).equals(whole)


def test_nobody_holds_more_than_their_share_of_all_votes():
    flood = [interaction(n, -1, f"p{n}", natural_query=f"question {n}", user_hash="ann") for n in range(1_000)]
    others = [interaction(n, 1, f"p{n}", natural_query=f"question {n}") for n in range(1_000, 1_100)]

    result = built(*flood, *others, max_user_share=0.25)

    assert result.counts["largest_user_share_before"] > 0.9
    assert result.counts["largest_user_share_after"] <= 0.25 * 1.1
    weights = result.rows.to_pydict()
    assert sum(map(sum, weights["negative_weights"])) <= 0.25 * 1.1 * (100 + sum(map(sum, weights["negative_weights"])))


def test_one_user_who_clicks_ten_thousand_times_counts_once():
    clicks = [interaction(n, 1, chunk("a", 1, True), chunk("b", 2, False), user_hash="ann") for n in range(10_000)]

    result = built(*clicks)

    assert judged(result)["positive"] == {"a": 1.0}
    assert effective_triplets(result) == 1
    assert result.counts["dropped"] == {"superseded by a later vote": 2 * 9_999}


def answered(number: int, user: str | None, question: str) -> dict[str, Any]:
    return interaction(
        number, 1, chunk("a", 1, True), chunk("b", 2, False), user_hash=user, natural_query=f"{question} {number % 7}"
    )


def test_effective_triplets_are_distinct_users_and_clusters():
    near = [
        interaction(1, 1, chunk("a", 1, True), chunk("b", 2, False), user_hash="ann", natural_query=LONG),
        interaction(2, 1, chunk("c", 1, True), chunk("d", 2, False), user_hash="ann", natural_query=NEARLY_LONG),
        interaction(3, 1, chunk("c", 1, True), chunk("d", 2, False), user_hash="ben", natural_query=NEARLY_LONG),
        *(
            interaction(n, 1, chunk("c", 1, True), chunk("d", 2, False), user_hash=None, natural_query=LONG)
            for n in range(4, 9)
        ),
    ]

    assert effective_triplets(built(*near)) == 3
    assert len(effective_voices(built(*near))) == 4


def test_what_a_training_has_seen_is_not_new_and_what_came_since_is():
    before = [answered(n, f"user {n}", "question") for n in range(7)]
    after = [*before, answered(8, "ann", "something else"), answered(9, "user 2", "question")]
    trained = effective_voices(built(*before))

    assert effective_triplets(built(*after)) == 8
    assert effective_triplets(built(*after), trained) == 1


def test_a_user_says_nothing_new_with_a_near_duplicate_of_what_was_trained_on():
    def asked(number: int, question: str) -> dict[str, Any]:
        chunks = chunk("a", 1, True), chunk("b", 2, False)
        return interaction(number, 1, *chunks, user_hash="ann", natural_query=question)

    trained = effective_voices(built(asked(1, LONG)))

    assert effective_triplets(built(asked(1, LONG), asked(2, NEARLY_LONG)), trained) == 0


def test_no_user_counts_for_more_than_their_share_of_the_effective_triplets():
    flood = [
        interaction(n, 1, chunk("a", 1, True), chunk("b", 2, False), user_hash="ann", natural_query=f"question {n}")
        for n in range(1_000)
    ]
    others = [
        interaction(n, 1, chunk("a", 1, True), chunk("b", 2, False), natural_query=f"question {n}")
        for n in range(1_000, 1_030)
    ]

    assert effective_triplets(built(*flood, *others, max_user_share=0.25)) == 40


def test_keys_of_voices_are_the_same_everywhere():
    assert effective_voices(built(answered(1, "ann", "question"))).tolist() == [15340080708660779602]


texts = st.sampled_from(["a", "b", "b ", "c  d", "c d", " ", None])
scopes = st.sampled_from([None, True, False])
chunk_lists = st.lists(st.tuples(texts, scopes), max_size=4)
rated_rows = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from([1, 1, -1, -1, None]),
        st.sampled_from(QUESTIONS),
        st.sampled_from(["ann", "ben", "cy", None]),
        st.sampled_from([None, "s"]),
        st.sampled_from([None, None, "tone", "irrelevant"]),
        st.integers(0, 5),
    ),
    max_size=14,
    unique_by=lambda row: (row[0], row[6]),
)


@st.composite
def interactions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return rows of which some are the same interaction, rated again later; its user, question and chunks stay."""
    rows: dict[int, dict[str, Any]] = {}
    drawn = []
    for number, thumb, question, user, source, reason, later in draw(rated_rows):
        if number not in rows:
            chunks = [chunk(text, rank, scope) for rank, (text, scope) in enumerate(draw(chunk_lists), start=1)]
            rows[number] = interaction(
                number, None, *chunks, natural_query=question, user_hash=user, database_id=source
            )
        moment = None if thumb is None else START + timedelta(hours=later, minutes=number % 3)
        drawn.append(rows[number] | {"feedback": thumb, "feedback_reason": reason, "rated_at": moment})
    return drawn


def outcome(result: TripletResult) -> tuple[Any, ...]:
    return (result.rows, result.dropped, result.counts, effective_voices(result).tolist(), effective_triplets(result))


@settings(deadline=None, max_examples=60)
@given(rows=interactions(), cut=st.integers(0, 14), random=st.randoms())
def test_order_and_division_of_the_input_change_nothing(rows: list[dict[str, Any]], cut: int, random: Any):
    expected = outcome(built(*rows))
    random.shuffle(rows)

    whole = table(*rows)
    found = outcome(build_triplets([whole.slice(0, cut), whole.slice(cut)], TripletPolicy()))

    assert found == expected


@settings(deadline=None, max_examples=60)
@given(rows=interactions())
def test_every_passage_of_a_rated_answer_ends_in_a_row_or_is_dropped_with_a_reason(rows: list[dict[str, Any]]):
    result = built(*rows)

    out, kept = dropped(result), set()
    for row in require(result.rows, RERANKER_QUERIES, "rows").to_pylist():
        for side in ("positive", "negative"):
            for text, ids in zip(row[f"{side}s"], row[f"{side}_interactions"], strict=True):
                kept |= {(int(one), " ".join(text.split())) for one in ids}
    require(result.dropped, RERANKER_DROPPED, "dropped")
    for row in rows:
        number = row["interaction_id"]
        for one in row["chunks"]:
            passage = " ".join((one["text"] or "").split())
            same = {
                (number, other["rank"]) for other in row["chunks"] if " ".join((other["text"] or "").split()) == passage
            }
            assert (number, None) in out or same & out.keys() or (number, passage) in kept


@settings(deadline=None, max_examples=60)
@given(rows=interactions())
def test_no_passage_is_good_and_bad_for_the_same_or_nearly_the_same_question(rows: list[dict[str, Any]]):
    sides = defaultdict(lambda: (set(), set()))
    for row in built(*rows).rows.to_pylist():
        sides[row["cluster_id"]][0].update(row["positives"])
        sides[row["cluster_id"]][1].update(row["negatives"])

    assert all(not good & bad for good, bad in sides.values())


@settings(deadline=None, max_examples=60)
@given(rows=interactions())
def test_repeating_what_a_user_said_changes_nothing(rows: list[dict[str, Any]]):
    latest = {row["interaction_id"]: row for row in rows}
    once = [row for row in latest.values() if row["user_hash"]]
    later = timedelta(days=9)
    again = [
        row | {"interaction_id": row["interaction_id"] + 100, "rated_at": row["rated_at"] and row["rated_at"] + later}
        for row in once
    ]

    told = ("row_id", "query", "cluster_id", "positives", "positive_weights", "negatives", "negative_weights", "weight")
    first, second = built(*once), built(*once, *again)

    assert first.rows.select(told).equals(second.rows.select(told))
    assert effective_voices(first).tolist() == effective_voices(second).tolist()


@settings(deadline=None, max_examples=60)
@given(rows=interactions())
def test_rows_name_everyone_they_rest_on_and_nobody_else(rows: list[dict[str, Any]]):
    users = {str(row["interaction_id"]): row["user_hash"] for row in rows}

    for row in built(*rows).rows.to_pylist():
        ids = [one for side in ("positive", "negative") for listed in row[f"{side}_interactions"] for one in listed]
        assert set(ids) <= set(row["interaction_ids"])
        assert row["interaction_ids"] == sorted(set(row["interaction_ids"]))
        assert row["contributors"] == len({users[one] for one in row["interaction_ids"]})


@settings(deadline=None, max_examples=100)
@given(rows=interactions())
def test_the_weights_are_those_of_counting_one_by_one(rows: list[dict[str, Any]]):
    found = {
        (row["source"], row["query"].lower().strip("?"), " ".join(text.split())): sign * weight
        for row in built(*rows).rows.to_pylist()
        for side, sign in (("positive", 1), ("negative", -1))
        for text, weight in zip(row[f"{side}s"], row[f"{side}_weights"], strict=True)
    }

    assert found == pytest.approx(counted_one_by_one(rows), abs=1e-7)


def counted_one_by_one(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], float]:
    """Return the weight of each source, question and passage, below 0 for bad ones: the plain reading of the rules."""
    latest: dict[int, dict[str, Any]] = {}
    for row in sorted((row for row in rows if row["feedback"]), key=lambda row: row["rated_at"]):
        latest[row["interaction_id"]] = row
    votes: dict[tuple[Any, ...], dict[Any, tuple[Any, ...]]] = defaultdict(dict)
    for row in latest.values():
        for passage, vote in _votes_of(row).items():
            key = (row["database_id"] or "", row["natural_query"].lower().strip("?"), passage)
            voice = row["user_hash"] or row["interaction_id"]
            votes[key][voice] = max(votes[key].get(voice, vote), vote)
    net = {key: _net(list(of_voice.values())) for key, of_voice in votes.items()}
    good = {(_cluster(question), passage) for (_, question, passage), weight in net.items() if weight > 0}
    return {
        (source, question, passage): weight
        for (source, question, passage), weight in net.items()
        if weight > 0 or (weight < 0 and (_cluster(question), passage) not in good)
    }


def _votes_of(row: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    says = any(one["in_scope"] is not None for one in row["chunks"])
    found: dict[str, tuple[Any, ...]] = {}
    for one in row["chunks"]:
        passage = " ".join((one["text"] or "").split())
        direct = not says or one["in_scope"] is True
        if not passage or (row["feedback"] < 0 and (not direct or row["feedback_reason"] == "tone")):
            continue
        sign = row["feedback"] if direct else -1
        vote = (direct, row["rated_at"], row["interaction_id"], sign, one["rank"])
        best = found.get(passage)
        if best is None or (direct, -one["rank"]) > (best[0], -best[4]):
            found[passage] = vote
    return found


def _net(votes: list[tuple[Any, ...]]) -> float:
    rated = [sign / log2(1 + rank) for direct, _, _, sign, rank in votes if direct]
    surfaced = [SURFACED_WEIGHT * sign / log2(1 + rank) for direct, _, _, sign, rank in votes if not direct]
    net = sum(rated)
    if rated and abs(net) < 1e-9:
        return 0.0
    return net if net > 0 else net + sum(surfaced)


def _cluster(question: str) -> str:
    return question.replace("visitors", "guests")
