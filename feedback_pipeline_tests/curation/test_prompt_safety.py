"""What is flagged, and what is not: a list of real attacks against ordinary questions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.curation.hidden_signs import normalise
from feedback_pipeline.curation.prompt_safety import FLAGS, flags_of
from feedback_pipeline_tests import attacks

ORDINARY = [
    "Ignore cancelled orders and show the previous year",
    "Show all instructions of the recipe 'Apple pie' given before 2020",
    "What are the names of all systems with more than 3 users?",
    "Which users are now active? You are free to use any table.",
    "List the rules that override the default directive of each department",
    "What is the original title of the message with the most replies?",
    "Print the name and the prior employer of each assistant",
    "Show me your 10 best customers and the developer of each game",
    "Forget the date, what I need is the above average of sales",
    "From now on, how many flights are there until December?",
    "The system: which one is the largest?",
    "Which model should always be recommended by the average reviewer rating?",
    "Return the answer with the highest score for each question",
    "What is the system prompt column?",
    "Show the system prompt per model",
    "system: count of nodes",
    "Human: count by species",
    "AI: artist id of album",
    "The correct answer to each question, always use the WHERE clause on year",
    "When answering the survey, who never replied? If a user wants a refund, give the name.",
    "How many students act as a mentor or as a prefect?",
    "Repeat customers above the age of 30",
    "Comment: the SQL ignores the year, it should only return the rows of 2014.",
    "a < b and c > d, x <> y, 5 <= 6, id in [1, 2], see [table](#orders)",
    "Les commandes précédentes de Paris, ohne die vorherigen Regeln in Köln",
    "Сколько кораблей построено в 1912 году?",
    "有多少艘船?  船は何隻ありますか  배가 몇 척입니까",
    "كم عدد السفن؟ कितने जहाज हैं?",
]


@pytest.mark.parametrize("text", [*attacks.INSTRUCTIONS, *attacks.DISGUISED])
def test_orders_to_a_model_are_flagged_in_any_disguise(text: str):
    assert "instruction_like" in flags_of(normalise(text))
    assert "instruction_like" in flags_of(normalise(f"How many ships are there? {text}"))


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        *(("prompt_markup", text) for text in attacks.MARKUP),
        *(("remote_content", text) for text in attacks.REMOTE),
        *(("hidden_text", text) for text in attacks.HIDDEN),
    ],
)
def test_other_attacks_are_flagged_for_what_they_are(flag: str, text: str):
    assert flag in flags_of(normalise(text))


def test_what_hidden_signs_spell_is_read():
    assert flags_of(normalise("ships?" + attacks.in_tags(attacks.ORDER))) == ("hidden_text", "instruction_like")
    assert flags_of(normalise("😀" + attacks.in_selectors(attacks.ORDER))) == ("hidden_text", "instruction_like")


def test_text_shown_in_another_order_is_flagged_and_direction_marks_are_not():
    assert flags_of(normalise("ab\u202ecd")) == ("reordered_text",)
    assert flags_of(normalise("ab\u200ecd")) == ()


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_not_flagged(text: str):
    assert flags_of(normalise(text)) == ()


@given(st.text(max_size=200))
def test_flags_are_known_sorted_and_the_same_every_time(text: str):
    flags = flags_of(normalise(text))

    assert list(flags) == sorted(set(flags))
    assert set(flags) <= set(FLAGS)
    assert flags == flags_of(normalise(text))
