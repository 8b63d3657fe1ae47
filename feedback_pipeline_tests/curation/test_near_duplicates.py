"""Which questions are nearly the same: all of them are found, and nothing else."""

import random
from fractions import Fraction
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.curation import near_duplicates
from feedback_pipeline.curation.near_duplicates import components, near_duplicate_pairs
from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.curation.word_sets import READINGS

TOKENS = st.sampled_from([*"abcdefghijklmnop", "a,", "b/c", "c", "d-e", "e.", "?", "日本語", "ß"])
QUESTIONS = st.lists(TOKENS, max_size=14).map(" ".join)
VARIED = st.tuples(st.lists(QUESTIONS, min_size=1, max_size=3), st.randoms(use_true_random=False))


def varied(texts: list[str], chance: random.Random) -> list[str]:
    """Return forty questions, each one of the texts with a few tokens dropped or added: thresholds are met often."""
    made = []
    for _ in range(40):
        tokens = [token for token in chance.choice(texts).split() if chance.random() > 0.07]
        made.append(" ".join([*tokens, *(chance.choice("abxyz") for _ in range(chance.choice([0, 0, 1, 2])))]))
    return made


def compared(questions: list[str], databases: list[int], threshold: str) -> np.ndarray:
    """Return all near-duplicate pairs by comparing each with each, as (2 x m)."""
    readings = [[{w for token in text.split() for w in read(token)} for text in questions] for read in READINGS]
    pairs = [
        (row, other)
        for row, other in combinations(range(len(questions)), 2)
        if databases[row] == databases[other]
        and any(
            s[row] and s[other] and Fraction(len(s[row] & s[other]), len(s[row] | s[other])) >= Fraction(threshold)
            for s in readings
        )
    ]
    return np.array(pairs, np.int64).reshape(-1, 2).T


def found(questions: list[str], **options: object) -> set[tuple[int, int]]:
    pairs = near_duplicate_pairs(pa.array(questions, pa.string()), **options)  # pyright: ignore[reportArgumentType]
    return set(map(tuple, pairs.T.tolist()))


@pytest.mark.parametrize("most_compared", [1, 16])
@given(questions=VARIED, databases=st.integers(1, 2), threshold=st.sampled_from(["0.8", "0.75", "0.6", "1.0"]))
def test_pairs_connect_just_what_comparing_each_with_each_connects(most_compared, questions, databases, threshold):
    texts = varied(*questions)
    database = [row % databases for row in range(len(texts))]
    expected = compared(texts, database, threshold)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_duplicates, "_COMPARED", most_compared)
        patch.setattr(near_duplicates, "_BATCH", 10)
        pairs = near_duplicate_pairs(
            pa.array(texts, pa.string()), databases=np.array(database), threshold=float(threshold)
        )

    assert set(map(tuple, pairs.T.tolist())) <= set(map(tuple, expected.T.tolist()))
    assert components(len(texts), pairs).tolist() == components(len(texts), expected).tolist()


@given(questions=VARIED, chance=st.randoms(use_true_random=False))
def test_a_near_duplicate_in_two_splits_shows_whichever_way_rows_are_split(questions, chance):
    texts = varied(*questions)
    splits = np.array([chance.choice([0, 0, 0, 1, 2]) for _ in texts])
    expected = set(map(tuple, compared(texts, [0] * len(texts), "0.8").T.tolist()))
    across = {pair for pair in expected if splits[pair[0]] != splits[pair[1]]}

    pairs = found(texts, splits=splits)

    assert pairs <= across
    assert bool(pairs) == bool(across)


@given(questions=VARIED, chance=st.randoms(use_true_random=False))
def test_what_is_linked_already_is_not_looked_for_and_still_counts(questions, chance):
    texts = varied(*questions)
    size = len(texts)
    known = np.array([[row, chance.randrange(size)] for row in range(0, size, 4)]).T
    linked = components(size, known)

    pairs = near_duplicate_pairs(pa.array(texts, pa.string()), linked=linked)

    assert (linked[pairs[0]] != linked[pairs[1]]).all()
    whole = np.concatenate([known, compared(texts, [0] * size, "0.8")], axis=1)
    assert components(size, pairs, linked).tolist() == components(size, whole).tolist()


def test_a_similarity_of_just_the_threshold_counts():
    assert found(["a b c d", "a b c d e"]) == {(0, 1)}
    assert found(["a b c d e f g h i", "a b c d e f g h x"]) == {(0, 1)}
    assert found(["a b c d e f g h", "a b c d e f g x"]) == set()


def test_likeness_does_not_depend_on_who_comes_first():
    hub = "a b c d e f g h i j k l"
    far, near, nearer = hub.replace("a b c", "x y z"), hub.replace("a b", "p q"), hub.replace("a b", "p r")

    assert found([far, near, nearer]) == {(1, 2)}


def test_punctuation_blanks_and_the_order_of_words_make_no_difference():
    asked = [canonical_question(text) for text in ("How many 'singers'?", "how many singers", "singers, how many")]

    assert len(np.unique(components(3, near_duplicate_pairs(pa.array(asked))))) == 1


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("who wrote the u.s. episode with most viewers in may", "who wrote the us episode with most viewers in may"),
        ("which position has a club/team of ulm", "which position has a club team of ulm"),
        ("list id, name, town and the id name town of all", "list id, name, town and the id name town of any"),
    ],
)
def test_questions_that_are_alike_however_words_are_cut_are_found(question, other):
    assert found([question, other]) == {(0, 1)}


def test_questions_of_one_or_two_words_are_alike_only_if_equal():
    assert found(["ships", "ship", "old ships", "ships old", "ships"]) == {(0, 4), (2, 3)}


def test_questions_without_words_are_no_obstacle():
    assert found(["", "", " ", "a b c d"]) == set()
    assert found([]) == set()


def test_scripts_without_blanks_are_compared_by_pairs_of_characters():
    question = "東京都の人口はどれくらいですか教えてください"

    assert found([question, question.replace("東京", "京東"), "大阪の天気を知りたいです"]) == {(0, 1)}


def test_marks_belong_to_their_word():
    assert found(["की", "का"]) == set()


def test_a_template_with_thousands_of_values_is_linked_without_comparing_all_pairs():
    size = 20_000
    questions = [f"how many of the old ships sailed from harbour {row} last year" for row in range(size)]

    pairs = near_duplicate_pairs(pa.array(questions))

    assert pairs.shape[1] < 2 * size
    assert not components(size, pairs).any()


def test_a_short_template_with_thousands_of_values_is_told_apart():
    assert found([f"how many x{row % 100} in y{row // 100}" for row in range(10_000)]) == set()
