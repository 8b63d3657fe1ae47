"""Which examples come first: those most alike in shape or in words, one of each SQL skeleton.

Weights and margins were chosen by cross-validation, see docs/decisions/0023.
"""

from dataclasses import dataclass

import numpy as np

MARGIN = 0.06
"""So much more alike in shape than in words an example has to be, while no paraphrases vouch for shapes."""
_TRUSTED_AFTER = 50.0
"""So many paraphrases halve the margin."""
_DIVERSE_AFTER = 5
"""From so many paraphrases on, one example of each skeleton is given before a second of any."""
_DIGITS = 6
_CANDIDATES = 64


@dataclass(frozen=True)
class Similarities:
    """How alike a question is to each of n examples: float32 of shape (n,) each, cosines from -1 to 1.

    Attributes:
        words: of the questions as they stand.
        shape: of the masked questions.
    """

    words: np.ndarray
    shape: np.ndarray


def rank(similarities: Similarities, classes: np.ndarray, paraphrases: int, k: int) -> list[tuple[int, float]]:
    """Return (row, score) of the best ``k`` examples, best first.

    Args:
        similarities: to all examples of a database, or to candidates of it.
        classes: which skeleton each has: int of shape (n,).
        paraphrases: how many examples of the database repeat a skeleton.
        k: how many are wanted.

    """
    scores = fused(similarities, paraphrases)
    order = _best(scores, similarities.words, max(k, _CANDIDATES))
    if paraphrases >= _DIVERSE_AFTER:
        order = _one_of_each_first(order, classes, k)
    chosen = sorted(order[:k], key=lambda row: (-scores[row], -similarities.words[row], row))
    return [(int(row), round(float(scores[row]), _DIGITS)) for row in chosen]


def fused(similarities: Similarities, paraphrases: int) -> np.ndarray:
    """Return one score for each example: float32 of shape (n,), 1 for the same question.

    An example is as alike as the more alike of its words and its shape. Where no paraphrases are known yet, shape has
    to win by a margin: masking takes meaning away, too. Rounded to six digits: beyond these, equal vectors may differ
    by their place in a matrix.
    """
    margin = np.float32(MARGIN * _TRUSTED_AFTER / (_TRUSTED_AFTER + paraphrases))
    return np.round(np.maximum(similarities.words, similarities.shape - margin), _DIGITS)


def _best(scores: np.ndarray, words: np.ndarray, count: int) -> np.ndarray:
    """Return the rows of the ``count`` highest scores, best first; equal ones by their words, then by row."""
    if len(scores) > count:
        edge = np.partition(scores, len(scores) - count)[len(scores) - count]
        rows = np.flatnonzero(scores >= edge)
    else:
        rows = np.arange(len(scores))
    return rows[np.lexsort((rows, -np.round(words[rows], _DIGITS), -scores[rows]))][:count]


def _one_of_each_first(order: np.ndarray, classes: np.ndarray, k: int) -> np.ndarray:
    """Return rows so that the first of every skeleton come before all others."""
    _, first = np.unique(classes[order], return_index=True)
    leading = np.sort(first)[:k]
    return np.concatenate([order[leading], np.delete(order, leading)])
