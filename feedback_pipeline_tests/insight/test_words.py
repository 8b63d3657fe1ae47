import pytest

from feedback_pipeline.insight.words import in_words, percent


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.4, "under 1 s"),
        (46.2, "46 s"),
        (61, "1 min 1 s"),
        (7_200, "2 h"),
        (90_061, "1 d 1 h"),
        (86_400 * 3, "3 d"),
    ],
)
def test_durations_are_said_in_their_two_largest_units(seconds: float | None, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"), [(None, "–"), (0, "0%"), (0.004, "0.4%"), (0.0994, "9.9%"), (0.5, "50%"), (1, "100%")]
)
def test_small_shares_are_not_rounded_away(share: float | None, words: str) -> None:
    assert percent(share) == words
