"""Passages: texts of chunks that differ in nothing but white space, or how signs are composed, are one.

Their ids do not matter.
"""

from dataclasses import dataclass
from unicodedata import normalize

import numpy as np
import pyarrow as pa

from feedback_pipeline.reranker.ratings.texts import NONE, ranks_of


@dataclass(frozen=True)
class Passages:
    """Which passage each text is; columns of shape (texts + 1,), of which the last stands for no text.

    Attributes:
        count: how many passages there are.
        of_text: number of the passage, NONE for a text that is blank.
        chars: characters of the text.
    """

    count: int
    of_text: np.ndarray
    chars: np.ndarray

    def __len__(self) -> int:
        return self.count


def distinct_passages(texts: list[str]) -> Passages:
    """Return the passages that distinct texts are, numbered in the order of their normalised texts."""
    numbers: dict[str, int] = {}
    plain = (" ".join((text if text.isascii() else normalize("NFC", text)).split()) for text in texts)
    found = np.fromiter((numbers.setdefault(one, len(numbers)) if one else NONE for one in plain), np.int64, len(texts))
    ranks = np.append(ranks_of(list(numbers)), NONE)
    chars = np.fromiter(map(len, texts), np.int64, len(texts))
    return Passages(len(numbers), ranks[np.append(found, NONE)].astype(np.int32), np.append(chars, 0))


def kept_texts(texts: list[str], passages: Passages, used: np.ndarray) -> pa.Array:
    """Return each passage as most chunks wrote it, of equally many the smallest; "" for one that is not used.

    Args:
        texts: as given to ``distinct_passages``.
        passages: what it returned.
        used: number of the text of each chunk that is used.
    """
    counts = np.bincount(used, minlength=len(texts))[: len(texts)]
    there = np.flatnonzero(counts)
    chosen = pa.array([texts[number] for number in there], pa.large_string())
    order = np.lexsort((ranks_of(chosen), -counts[there], passages.of_text[there]))
    passage = passages.of_text[there][order]
    first = order[np.diff(passage, prepend=NONE) != 0]
    place = np.full(len(passages), len(chosen), np.int64)
    place[passages.of_text[there][first]] = first
    return pa.concat_arrays([chosen, pa.array([""], pa.large_string())]).take(pa.array(place))
