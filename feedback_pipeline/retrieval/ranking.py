"""Which examples come first: those most alike in shape or in words, one of each SQL skeleton.

Weights and margins were chosen by cross-validation, see docs/decisions/0023.
"""

from dataclasses import dataclass

import numpy as np

MARGIN = 0.08
"""So much more alike in shape than in words an example has to be, while no paraphrases vouch for shapes."""
_TRUSTED_AFTER = 50.0
"""So many paraphrases halve the margin."""
_DIVERSE_AFTER = 5
"""From so many paraphrases on, one example of each skeleton is given before a second of any."""
_DIGITS = 6
"""Scores are rounded to so many: beyond these, equal vectors may differ by their place in a matrix."""
_ROUNDING = 1.5 * 10**-_DIGITS
"""Two scores this far apart may become equal when rounded, with what float32 adds."""
_CANDIDATES = 64


@dataclass(frozen=True)
class Similarities:
    """How alike a question is to each of n examples: float32 of shape (n,) each, cosines from -1 to 1.

    Attributes:
        words: of the questions as they stand.
        shape: of the masked questions, as far as the shape space knows them.
        known: how much of the masked question is about what the database is asked, from 0 to 1.
    """

    words: np.ndarray
    shape: np.ndarray
    known: float = 1.0


def rank(similarities: Similarities, classes: np.ndarray, paraphrases: int, k: int) -> list[tuple[int, float]]:
    """Return (row, score) of the best ``k`` examples, best first.

    Scores are those of ``fused``, scaled so that the best one's is what it is in the whole space: of a question unlike
    all examples little is known to the shape space, and what is known of it may be alike by chance.

    Args:
        similarities: to all examples of a database, or to candidates of it.
        classes: which skeleton each has: int of shape (n,).
        paraphrases: how many examples of the database repeat a skeleton.
        k: how many are wanted.

    """
    if not len(similarities.words):
        return []
    rows, scores = _best(fused(similarities, paraphrases), similarities.words, max(k, _CANDIDATES))
    order = np.arange(len(rows))
    if paraphrases >= _DIVERSE_AFTER:
        order = np.sort(_one_of_each_first(classes[rows], k)[:k])
    scale = _scale(similarities, paraphrases, rows[0])
    # Adding nothing makes minus zero zero.
    return [(int(rows[place]), round(float(scores[place]) * scale, _DIGITS) + 0.0) for place in order[:k]]


def fused(similarities: Similarities, paraphrases: int) -> np.ndarray:
    """Return one score for each example: float32 of shape (n,), 1 for the same question.

    An example is as alike as the more alike of its words and its shape. Where no paraphrases are known yet, shape has
    to win by a margin: masking takes meaning away, too.
    """
    return np.maximum(similarities.words, similarities.shape - _margin(paraphrases))


def _margin(paraphrases: int) -> np.float32:
    return np.float32(MARGIN * _TRUSTED_AFTER / (_TRUSTED_AFTER + paraphrases))


def _scale(similarities: Similarities, paraphrases: int, best: int) -> float:
    """Return the score of the best row in the whole space, divided by its score where shapes are compared."""
    words, shape = float(similarities.words[best]), float(similarities.shape[best])
    margin = float(_margin(paraphrases))
    here, whole = (max(words, known * shape - margin) for known in (1.0, float(similarities.known)))
    return min(max(whole, 0.0) / here, 1.0) if here > 0 else 1.0


def _best(scores: np.ndarray, words: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the ``count`` highest scores and these, rounded; equal ones by their words, then by row."""
    if len(scores) > count:
        # Only what can be among the best is rounded and sorted, which for thousands of rows is what takes time.
        edge = np.partition(scores, len(scores) - count)[len(scores) - count] - _ROUNDING
        rows = np.flatnonzero(scores >= edge)
    else:
        rows = np.arange(len(scores))
    rounded = np.round(scores[rows], _DIGITS)
    order = np.lexsort((rows, -np.round(words[rows], _DIGITS), -rounded))[:count]
    return rows[order], rounded[order]


def _one_of_each_first(classes: np.ndarray, k: int) -> np.ndarray:
    """Return places so that the first of every class come before all others."""
    _, first = np.unique(classes, return_index=True)
    leading = np.sort(first)[:k]
    return np.concatenate([leading, np.delete(np.arange(len(classes)), leading)])
