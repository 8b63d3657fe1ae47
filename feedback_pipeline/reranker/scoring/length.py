"""Length: how much a passage says. What users like of it is learned; a scrap of a page rarely answers a question."""

import math
from collections.abc import Sequence

import numpy as np

_CHARACTERS_A_TOKEN = 4


class Length:
    """The part ``length``. Thread-safe.

    Args:
        max_tokens: tokens of a text that the model looks at; what comes after them counts for nothing here either, or
            whoever writes passages could win by writing on.

    """

    def __init__(self, max_tokens: int):
        self._most = _CHARACTERS_A_TOKEN * max_tokens

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return log(1 + characters looked at) of each passage: float32 of shape (len(pairs),)."""
        scores = (math.log1p(min(len(passage), self._most)) for _, passage in pairs)
        return np.fromiter(scores, np.float32, len(pairs))
