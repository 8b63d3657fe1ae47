"""Length: how much a passage says. What users like of it is learned; a scrap of a page rarely answers a question."""

import math
from collections.abc import Sequence

import numpy as np


class Length:
    """The part ``length``. Thread-safe."""

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return log(1 + characters) of each passage: float32 of shape (len(pairs),)."""
        return np.fromiter((math.log1p(len(passage)) for _, passage in pairs), np.float32, len(pairs))
