"""Whose fault a thumb down is: codes are looked up, and nothing is read into prose."""

import pytest

from feedback_pipeline.reranker.ratings.reasons import (
    OTHER_CODES,
    RETRIEVAL_CODES,
    blamed_elsewhere,
    blaming_codes,
    code_of,
)


@pytest.mark.parametrize(
    "reason",
    ["irrelevant", "Not relevant", "wrong_passage", "WRONG-SOURCE", "off.topic!", "didn't help", "retrieval.old_index"],
)
def test_codes_of_bad_passages_blame_the_passages(reason: str):
    assert blamed_elsewhere(reason) is None


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("hallucination", "hallucination"),
        ("Too slow.", "too_slow"),
        ("tone, format", "tone"),
        ("generation.incomplete", "generation_incomplete"),
        ("never heard of it"[:11], "never_heard"),
        ("falsch", "falsch"),
        ("a_code_of_many_joined_words", "a_code_of_many_joined_words"),
    ],
)
def test_any_other_code_says_that_the_fault_lay_elsewhere(reason: str, code: str):
    assert blamed_elsewhere(reason) == code


@pytest.mark.parametrize("reason", [None, "", "  ", "...", "👎", "\n"])
def test_without_a_reason_the_passages_are_to_blame(reason: str | None):
    assert blamed_elsewhere(reason) is None


@pytest.mark.parametrize(
    "reason",
    [
        "The tone was terrible throughout",
        "no, not this, nor that",
        "hallucination: it made the numbers up",
        "回答与我的问题完全没有关系",
        "คำตอบไม่ตรงกับคำถามเลย",
    ],
)
def test_nothing_is_read_into_a_sentence(reason: str):
    assert blamed_elsewhere(reason) is None


@pytest.mark.parametrize("reason", ["tone, irrelevant", "irrelevant;tone", "latency|off_topic"])
def test_one_code_of_several_that_blames_the_passages_is_enough(reason: str):
    assert blamed_elsewhere(reason) is None


def test_a_product_can_have_codes_of_its_own():
    assert blamed_elsewhere("Index-Miss", blaming_codes(["index miss", ""])) is None
    assert blamed_elsewhere("index_miss") == "index_miss"


def test_no_code_blames_both():
    assert not RETRIEVAL_CODES & OTHER_CODES


@pytest.mark.parametrize("code", sorted(RETRIEVAL_CODES | OTHER_CODES))
def test_the_lists_hold_codes_as_they_are_looked_up(code: str):
    assert code_of(code) == code
