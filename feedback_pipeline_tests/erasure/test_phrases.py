"""Many texts at once: found exactly where their words stand next to each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.erasure.phrases import Phrases

WORDS = st.lists(st.sampled_from(["how", "many", "orders", "of", "Zoe", "7"]), min_size=1, max_size=6)


@given(st.lists(WORDS, max_size=8), WORDS)
def test_it_finds_what_a_search_one_by_one_finds(texts: list[list[str]], sentence: list[str]) -> None:
    padded = f" {' '.join(sentence)} "

    found = Phrases(" ".join(text) for text in texts).found_in(" ".join(sentence))

    assert found == any(f" {' '.join(text)} " in padded for text in texts)


@pytest.mark.parametrize(
    ("quoted", "expected"),
    [
        ("failed at 'rivers of zanzibar'", True),
        ("failed at rivers\n  of   zanzibar.", True),
        (r"ValueError('rivers of\nzanzibar')", True),
        ("rivers of zanzibarland", False),
        ("drivers of zanzibar", False),
        ("rivers of", False),
    ],
)
def test_only_whole_words_count_however_they_are_quoted(quoted: str, expected: bool) -> None:
    assert Phrases(["rivers of zanzibar"]).found_in(quoted) is expected


def test_the_beginning_of_a_long_text_is_enough() -> None:
    text = " ".join(str(number) for number in range(1_000))

    assert Phrases([text]).found_in(f"cannot read {text[:300]}")
    assert not Phrases([text]).found_in(f"cannot read {text[:20]}")
