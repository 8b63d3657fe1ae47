"""Which values a question names, and what stands in their place."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.masking.dictionary import ValueDictionary
from feedback_pipeline.masking.masker import QuestionMasker
from feedback_pipeline_tests.masking.samples import FLIGHTS, learned, masker_of

FLIGHT = masker_of(*FLIGHTS)
PIECES = [*"\"'`“”([,:.-0", " Boston", "new york", " 12", "é", "İ"]
NOTHING = QuestionMasker(ValueDictionary())


@pytest.mark.parametrize(
    ("question", "masked"),
    [
        ("is there a flight from Boston", "is there a flight from [origin]"),
        ("is there a flight to Boston", "is there a flight to [origin]"),
        ("is there a flight to Denver", "is there a flight to [target]"),
        ("is there a flight from Denver", "is there a flight from [origin]"),
        ("BOSTON please", "[origin] please"),
        ("flights to New York", "flights to [target]"),
        ("flights to York", "flights to [target]"),
        ("Boston's flights", "[origin]'s flights"),
        ("Bostons", "[origin]"),
        ('flights to "Boston"', "flights to [origin]"),
        ("a Bostonian asks", "a Bostonian asks"),
        ("pilot of flight 77", "pilot of flight [flight number]"),
        ("what leaves after 915", "what leaves after [leaves]"),
        ("more than 5 seats", "more than [number] seats"),
        ("  flights\tto\n Denver ", "flights to [target]"),
    ],
)
def test_values_are_told_by_what_is_known_and_by_the_words_beside_them(question: str, masked: str):
    assert FLIGHT.mask(question).text == masked


@pytest.mark.parametrize(
    ("question", "masked"),
    [
        ("orders of 2024-03-01", "orders of [date]"),
        ("orders of 3/14/2024", "orders of [date]"),
        ("orders before May 5, 2020", "orders before [date]"),
        ("orders before the 5th of May 2020", "orders before the [date]"),
        ("orders after 5:30 pm", "orders after [time]"),
        ("orders after 5pm", "orders after [time]"),
        ("around 6 o'clock", "around [time]"),
        ("customer 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "customer [id]"),
        ("order AB-1209", "order [id]"),
        ("mail of ann@example.org", "mail of [id]"),
        ("more than 1,200.50", "more than [number]"),
        ("12, 5%, the 1st of 5.", "[number], [number]%, the [number] of [number]."),
        ("over 1.5M or 7.5k, 2bn or 5M", "over [number] or [number], [number] or [number]"),
        ("version 4.5.2 of 1 500 000", "version [number] of [number]"),
        ("v4.5.2 has 2.5kg", "v4.5.2 has 2.5kg"),
        ("a 1.5B model", "a 1.5B model"),
        ('the title "Dead Poets Society"', "the title [value]"),
        ("it's the customers' choice", "it's the customers' choice"),
    ],
)
def test_dates_times_ids_numbers_and_quotes_are_told_by_their_form(question: str, masked: str):
    assert NOTHING.mask(question).text == masked


@pytest.mark.parametrize(
    ("question", "masked"),
    [
        ("दिल्ली के लोग", "दिल्ली के लोग"),
        ("दिल के लोग", "[name] के लोग"),
        ("मुंबईकर और मुंबई", "मुंबईकर और [name]"),
        ("北京最大的城市", "[name]最大的城市"),
        ("去北京的人", "去[name]的人"),
        ("Bostonの人口", "[name]の人口"),
        ("东京中心", "东京中心"),
        ("คนในลาวมาก", "คนใน[name]มาก"),
        ("คนลาวี", "คนลาวี"),
        ("Bostonian", "Bostonian"),
    ],
)
def test_words_end_where_their_script_ends_them(question: str, masked: str):
    names = ("दिल", "मुंबई", "北京", "中", "ลาว", "Boston")
    masker = masker_of(*(("which city", f"SELECT id FROM city WHERE city.name = '{name}'") for name in names))

    assert masker.mask(question).text == masked


def test_what_was_found_tells_place_columns_and_spelling():
    masked = FLIGHT.mask("flights  from BOSTON after 915")

    assert masked.question == "flights from BOSTON after 915"
    city, hour = masked.values
    assert (masked.question[city.start : city.end], city.kind, city.columns, city.spellings) == (
        ("BOSTON", "known", ("flight.origin",), ("Boston",))
    )
    assert (masked.question[hour.start : hour.end], hour.kind, hour.columns, hour.spellings) == (
        ("915", "number", (), ("915",))
    )


def test_a_word_that_is_seldom_a_value_is_left_alone():
    masker = masker_of(
        ("flights in May", "SELECT id FROM flight WHERE month = 'May'"),
        ("may I bring a dog", "SELECT rule FROM rules WHERE topic = 'pets'"),
        ("what may I carry", "SELECT rule FROM rules WHERE topic = 'luggage'"),
    )

    assert masker.mask("how may I pay").text == "how may I pay"
    assert masker.mask("all flights in May").text == "all flights in [month]"


def test_short_codes_of_a_database_are_values_only_as_they_are_spelt():
    masker = masker_of(*FLIGHTS, sample=(("IN", "state.code"), ("OK", "state.code"), ("Ohio", "state.name")))

    assert masker.mask("flights in ohio ok").text == "flights in [name] ok"
    assert masker.mask("flights to IN").text == "flights to [code]"


def test_tables_are_named_where_their_columns_share_a_bare_name():
    masker = masker_of(
        ("films with Tom Hanks", "SELECT f.id FROM film f JOIN actor a ON a.film = f.id WHERE a.name = 'Tom Hanks'"),
        ("films by Ang Lee", "SELECT f.id FROM film f JOIN director d ON d.film = f.id WHERE d.name = 'Ang Lee'"),
    )

    assert masker.mask("Ang Lee or Tom Hanks").text == "[director name] or [actor name]"


def test_learning_does_not_depend_on_the_order_of_the_examples():
    forth, back = learned(*FLIGHTS), learned(*reversed(FLIGHTS))

    assert dict(forth.values) == dict(back.values)
    assert (forth.labels, forth.slots) == (back.labels, back.slots)


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([*"\"'`“”([,:.-0", " Boston", "new york", " 12", "é", "İ"])).map("".join)
)
def test_whatever_is_asked_the_masked_text_is_the_question_with_its_values_replaced(question: str):
    masked = FLIGHT.mask(question)

    ends = [0, *(value.end for value in masked.values)]
    starts = [*(value.start for value in masked.values), len(masked.question)]
    assert all(end <= start for end, start in zip(ends, starts, strict=True))
    between = [masked.question[end:start] for end, start in zip(ends, starts, strict=True)]
    left = masked.text
    for part in between:
        assert part in left
        left = left.split(part, 1)[1] if part else left


@pytest.mark.parametrize(
    "question",
    ["", " ", "\x00", "\ud800", "🙂🙂", "日本語の質問", "'" * 100_000, '"' * 100_000, "Boston " * 15_000, "1" * 100_000,
     "1," * 50_000, "a-1" * 33_000, "A b " * 25_000, "SELECT * FROM flight WHERE origin = 'Boston' -- %"],
    ids=lambda text: f"{text[:6]!r} {len(text)}",
)  # fmt: skip
def test_no_question_is_too_odd_or_too_long(question: str):
    started = time.thread_time()

    masked = FLIGHT.mask(question)

    assert time.thread_time() - started < 5
    assert isinstance(masked.text, str)


def test_many_values_and_many_threads_are_one_automaton():
    masker = masker_of(sample=tuple((f"value number {number:06}", "shop.item") for number in range(20_000)))
    found: list[str] = []

    def ask() -> None:
        found.extend(masker.mask(f"all of value number {number:06} please").text for number in range(50))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(found) == {"all of [item] please"}
    assert len(found) == 200
