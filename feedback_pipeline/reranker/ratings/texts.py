"""Texts as numbers: each distinct text is kept once, however many interactions surfaced it."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NONE = -1
"""The number of a text that is not there."""


class TextNumbers:
    """Numbers distinct texts in order of appearance.

    The order of appearance depends on the order of input: results must not depend on a number, only on its text.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def of(self, values: pa.Array) -> np.ndarray:
        """Return the number of each text (values,) as int32, NONE for nulls."""
        encoded = values.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        known, fresh = self._numbers, count(len(self._numbers))
        for text in texts:
            if text not in known:
                known[text] = next(fresh)
        numbers = np.fromiter(map(known.__getitem__, texts), np.int32, len(texts))
        places = encoded.indices
        found = np.full(len(places), NONE, np.int32)
        there = places.is_valid().to_numpy(zero_copy_only=False)
        found[there] = numbers[places.drop_null().to_numpy()]
        return found

    def texts(self) -> list[str]:
        """Return all texts in the order of their numbers."""
        return list(self._numbers)


def ranks_of(texts: list[str] | pa.Array) -> np.ndarray:
    """Return the place of each text among all in order (texts,) as int64; ``texts`` are distinct."""
    array = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.large_string())
    ranks = np.empty(len(array), np.int64)
    ranks[pc.sort_indices(array).to_numpy()] = np.arange(len(array))
    return ranks


def changes(ordered: np.ndarray) -> np.ndarray:
    """Tell where another value begins than the one before; the first always does."""
    return np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
