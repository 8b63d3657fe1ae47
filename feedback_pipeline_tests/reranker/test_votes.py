"""What a thumb says of the passages an answer was made from."""

from datetime import timedelta

import pytest

from feedback_pipeline.reranker.triplets import SURFACED_WEIGHT
from feedback_pipeline_tests.reranker.rated import START, built, chunk, dropped, interaction, judged

SECOND_PLACE = 0.630929754


def test_a_thumb_up_makes_the_chunks_in_scope_positive_and_the_others_faintly_negative():
    result = built(interaction(1, 1, chunk("good", 1, True), chunk("beside", 2, False), chunk("unsaid", 3)))

    assert judged(result) == {
        "positive": {"good": 1.0},
        "negative": {
            "beside": pytest.approx(SURFACED_WEIGHT * SECOND_PLACE, abs=1e-9),
            "unsaid": pytest.approx(SURFACED_WEIGHT / 2),
        },
    }
    assert result.rows["negative_origins"].to_pylist() == [["surfaced", "surfaced"]]


def test_where_nothing_is_said_of_scope_all_chunks_are_in_it():
    result = built(interaction(1, 1, "first", "second"))

    assert judged(result) == {"positive": {"first": 1.0, "second": SECOND_PLACE}, "negative": {}}


def test_a_thumb_down_makes_the_chunks_in_scope_negative_and_drops_the_others():
    result = built(interaction(1, -1, chunk("used", 1, True), chunk("unused", 2, False)))

    assert judged(result) == {"positive": {}, "negative": {"used": 1.0}}
    assert result.rows["negative_origins"].to_pylist() == [["rated"]]
    assert dropped(result) == {(1, 2): "out of scope of a thumb down"}


def test_a_thumb_down_that_blames_something_else_says_nothing_of_the_passages():
    result = built(
        interaction(1, -1, "a", feedback_reason="tone"), interaction(2, -1, "b", feedback_reason="irrelevant")
    )

    assert judged(result)["negative"] == {"b": 1.0}
    assert dropped(result) == {(1, None): "fault lay elsewhere: tone"}


def test_a_thumb_up_counts_whatever_its_reason():
    assert judged(built(interaction(1, 1, "a", feedback_reason="tone")))["positive"] == {"a": 1.0}


def test_a_code_of_ones_own_words_is_named_only_where_many_people_use_it():
    few = [interaction(number, -1, "a", feedback_reason="Jane Doe") for number in range(4)]
    same = [interaction(number, -1, "a", feedback_reason="Jane Doe", user_hash="ann") for number in range(9)]
    many = [interaction(number, -1, "a", feedback_reason="index miss") for number in range(10, 15)]

    assert set(dropped(built(*few)).values()) == {"fault lay elsewhere: another code"}
    assert set(dropped(built(*same)).values()) == {"fault lay elsewhere: another code"}
    assert set(dropped(built(*many)).values()) == {"fault lay elsewhere: index_miss"}
    assert built(*many, retrieval_reasons=frozenset({"index miss"})).counts["dropped"] == {}


def test_a_users_votes_on_a_passage_count_once_and_the_latest_holds():
    rows = [interaction(number, 1 if number < 3 else -1, "a", user_hash="ann") for number in (3, 1, 2)]

    result = built(*rows)

    assert judged(result) == {"positive": {}, "negative": {"a": 1.0}}
    assert dropped(result) == {(1, 1): "superseded by a later vote", (2, 1): "superseded by a later vote"}
    assert result.rows["interaction_ids"].to_pylist() == [["3"]]


def test_votes_without_a_user_each_count():
    assert judged(built(*(interaction(number, 1, "a", user_hash=None) for number in range(3))))["positive"] == {
        "a": 3.0
    }


def test_what_a_user_rated_is_not_undone_by_what_was_only_surfaced_to_them_later():
    result = built(
        interaction(1, 1, chunk("a", 1, True), user_hash="ann"),
        interaction(2, 1, chunk("b", 1, True), chunk("a", 2, False), user_hash="ann"),
    )

    assert judged(result) == {"positive": {"a": 1.0, "b": 1.0}, "negative": {}}
    assert dropped(result) == {(2, 2): "the user rated the passage itself"}


def test_of_an_interaction_in_several_days_what_was_rated_last_counts():
    unrated = interaction(1, None, "a")
    first = interaction(1, 1, "a")
    last = interaction(1, -1, "a", rated_at=START + timedelta(days=2))

    result = built(last, unrated, first)

    assert judged(result) == {"positive": {}, "negative": {"a": 1.0}}
    assert result.counts["interactions"] == 1
    assert dropped(result) == {}


def test_a_rating_without_a_time_still_counts():
    assert judged(built(interaction(1, 1, "a", rated_at=None), interaction(1, None, "a")))["positive"] == {"a": 1.0}


def test_the_same_text_under_two_ids_is_one_passage():
    result = built(
        interaction(1, 1, chunk("a  b", 3, True, "x"), chunk("a\n b", 1, False, "y"), chunk(" a b", 2, True))
    )

    assert judged(result) == {"positive": {" a b": SECOND_PLACE}, "negative": {}}
    assert result.rows["positive_ranks"].to_pylist() == [[2.0]]


def test_a_passage_is_kept_as_most_chunks_wrote_it():
    rows = [
        interaction(1, 1, "a  b"),
        interaction(2, 1, "a\nb"),
        interaction(3, 1, "a\nb"),
        interaction(4, 1, "x \t y"),
    ]

    assert set(judged(built(*rows))["positive"]) == {"a\nb", "x \t y"}


def test_places_count_from_one_also_where_a_product_counts_from_zero():
    from_zero = built(interaction(1, 1, chunk("a", 0), chunk("b", 1)))
    unranked = built(interaction(1, 1, chunk("a"), chunk("b")))

    assert judged(from_zero)["positive"] == judged(unranked)["positive"] == {"a": 1.0, "b": SECOND_PLACE}
    assert from_zero.rows["positive_ranks"].to_pylist() == [[1.0, 2.0]]


@pytest.mark.parametrize("chunks", [[], None])
def test_an_interaction_without_chunks_is_dropped(chunks: list | None):
    assert dropped(built(interaction(1, 1, chunks=chunks))) == {(1, None): "no chunks"}


def test_an_interaction_without_a_rating_is_dropped():
    result = built(interaction(1, None, "a"), interaction(2, 0, "a"))

    assert dropped(result) == {(1, None): "no rating", (2, None): "no rating"}
    assert result.rows.num_rows == 0


def test_chunks_without_text_are_dropped_and_the_others_count():
    result = built(interaction(1, 1, chunk(None, 1), chunk(" \n", 2), chunk("a", 3)))

    assert judged(result)["positive"] == {"a": 0.5}
    assert dropped(result) == {(1, 1): "chunk without text", (1, 2): "chunk without text"}


def test_long_passages_are_kept_whole_up_to_the_limit():
    whole, long = "word " * 4_000, "word " * 20_001

    result = built(interaction(1, 1, whole, long))

    assert list(judged(result)["positive"]) == [whole]
    assert dropped(result) == {(1, 2): "passage longer than 20000 characters"}
    assert list(judged(built(interaction(1, 1, long), max_passage_chars=200_000))["positive"]) == [long]


def test_interactions_of_the_other_kind_are_none_of_our_business():
    result = built(interaction(1, 1, "a", kind="text2sql"))

    assert (result.rows.num_rows, result.dropped.num_rows, result.counts["interactions"]) == (0, 0, 0)
