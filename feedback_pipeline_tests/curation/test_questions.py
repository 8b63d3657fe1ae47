"""When two questions are the same words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.curation.questions import canonical_question


@pytest.mark.parametrize(
    "spelling",
    [
        "How many ships?",
        "how  many\tships",
        "HOW MANY SHIPS!",
        " how many ships… ",
        "“How many ships?”",
    ],
)
def test_case_blanks_unicode_form_and_closing_marks_do_not_matter(spelling: str):
    assert canonical_question(spelling) == "how many ships"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rivers in Texas", "rivers in Ohio"),
        ("ships above 10", "ships above 100"),
        ("ships > 10", "ships < 10"),
        ("cost -5", "cost 5"),
        ("C++ courses", "C courses"),
        ("naïve", "naive"),
    ],
)
def test_values_and_words_do_matter(one: str, other: str):
    assert canonical_question(one) != canonical_question(other)


@pytest.mark.parametrize("text", ["?", "...", '"\'"'])
def test_a_question_of_marks_only_is_not_empty(text: str):
    assert canonical_question(text)


@given(st.text(max_size=30))
def test_the_canonical_form_of_a_canonical_question_is_itself(text: str):
    once = canonical_question(text)

    assert canonical_question(once) == once


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_upper_case_never_makes_another_question(text: str):
    assert canonical_question(text.upper()) == canonical_question(text)


@pytest.mark.parametrize(("one", "other"), [("over 10²", "over 102"), ("Maße in cm", "Masse in cm")])
def test_values_that_only_look_alike_stay_two_questions(one: str, other: str):
    assert canonical_question(one) != canonical_question(other)
