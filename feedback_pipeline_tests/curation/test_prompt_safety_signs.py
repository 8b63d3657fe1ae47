"""Which signs are removed, and which writing needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.curation.hidden_signs import Normalised, normalise
from feedback_pipeline_tests import attacks

NEEDED = [
    "tab\tand\nline\r\nbreak",
    "Größe, naïve, 日本語, Ελληνικά, Кириллица, 한국어",
    "می‌خواهم",  # Persian, with a zero-width non-joiner
    "क्‍ष और क्‌ष",  # Devanagari, with joiner and non-joiner
    "ශ්‍රී ලංකා",  # Sinhala
    "👩‍👩‍👧 👩🏽‍🚀 🏳️‍🌈 ❤️‍🔥",  # joined emoji
    "❤️ ☎︎ 1️⃣ #️⃣",  # one variation selector each
    "葛\U000e0100城市",  # ideographic variation
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland
    "שלום\u200f (2) مرحبا\u200e",  # direction marks beside letters that run from right to left
    "\u0600123 a\u00a0b",
]


@pytest.mark.parametrize("text", NEEDED)
def test_what_writing_needs_stays(text: str):
    assert normalise(text) == Normalised(text)


@pytest.mark.parametrize(
    ("text", "left", "removed"),
    [
        ("a\x00b\x1b[31mc\x7f", "ab[31mc", {"control": 3}),
        ("a\rb\x0bc\u2028d\x85e", "a\nb\nc\nd\ne", {"control": 4}),
        ("a\u202eb\u202cc\u2066d\u2069", "abcd", {"bidi": 4}),
        ("a\u200eb", "ab", {"bidi": 1}),
        ("\ufeffa\u200bb\u2060c\u00add\u180ee", "abcde", {"invisible": 5}),
        ("pa\u200dss\u200cword", "password", {"invisible": 2}),
        ("می\u200c\u200c\u200cخ", "می\u200cخ", {"invisible": 2}),
        ("a\u3164b\u115fc\uffa0d", "abcd", {"invisible": 3}),
        ("a\ufe0fb", "ab", {"invisible": 1}),
        ("❤\ufe0f\ufe01\ufe02", "❤\ufe0f", {"invisible": 2}),
        ("a\U000e0041\U000e0042", "a", {"invisible": 2}),
        ("a\ud800b", "ab", {"control": 1}),
        ("a\ufffeb", "ab", {"invisible": 1}),
    ],
)
def test_what_hides_or_reorders_goes_and_is_counted(text: str, left: str, removed: dict[str, int]):
    normalised = normalise(text)

    assert (normalised.text, normalised.removed) == (left, removed)


def test_what_tags_and_selectors_spell_is_kept_for_inspection():
    assert normalise("x" + attacks.in_tags("obey me")).hidden == "obey me"
    assert normalise("😀" + attacks.in_selectors("obey me")).hidden.endswith("bey me")


def test_one_stray_sign_is_an_accident_and_a_row_of_them_is_not():
    assert not normalise("\ufeffHow ma\u200bny?").deliberate
    assert normalise("How\u200b\u200c\u200b\u200c many?").deliberate


@given(st.text())
def test_normalising_again_changes_nothing(text: str):
    once = normalise(text).text

    assert normalise(once) == Normalised(once)
    once.encode("utf-8")
