"""What becomes nothing, and why: no passage of a rated interaction is left out silently."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from feedback_pipeline.reranker.ratings.reading import UNSAID, Chunks
from feedback_pipeline.schemas import RERANKER_DROPPED, require

NO_RATING = "no rating"
NO_CHUNKS = "no chunks"
BLANK_QUESTION = "blank question"
WITHOUT_TEXT = "chunk without text"
OUT_OF_SCOPE = "out of scope of a thumb down"
SUPERSEDED = "superseded by a later vote"
RATED_ITSELF = "the user rated the passage itself"
DISAGREE = "raters disagree"
POSITIVE = "positive for the same question"
POSITIVE_NEARBY = "positive for a near-duplicate question"


def elsewhere(code: str) -> str:
    """Return the reason for a thumb down that blames something other than the passages."""
    return f"fault lay elsewhere: {code}"


def too_long(most: int) -> str:
    """Return the reason for a passage of more than ``most`` characters."""
    return f"passage longer than {most} characters"


@dataclass
class Dropped:
    """Collects what is left out, by the place of its interaction."""

    parts: list[tuple[np.ndarray, np.ndarray, str]] = field(default_factory=list)

    def interactions(self, places: np.ndarray, reason: str) -> None:
        """Leave out interactions as a whole."""
        if len(places):
            self.parts.append((places.astype(np.int32), np.full(len(places), UNSAID, np.int32), reason))

    def chunks(self, chunks: Chunks, which: np.ndarray, reason: str) -> None:
        """Leave out the chunks that ``which`` chooses; one without a rank goes by its place."""
        if len(found := np.flatnonzero(which) if which.dtype == bool else which):
            rank = np.where(chunks.rank[found] == UNSAID, chunks.place[found], chunks.rank[found])
            self.parts.append((chunks.interaction[found], rank.astype(np.int32), reason))

    def counts(self) -> dict[str, int]:
        """Return how often each reason is given, by reason."""
        found: Counter[str] = Counter()
        for places, _, reason in self.parts:
            found[reason] += len(places)
        return dict(sorted(found.items()))

    def table(self, ids: np.ndarray) -> pa.Table:
        """Return schemas.RERANKER_DROPPED, ordered by interaction, rank and reason; ``ids`` are those of all places."""
        reasons = list(self.counts())
        number = {reason: place for place, reason in enumerate(reasons)}
        none = (np.zeros(0, np.int32), np.zeros(0, np.int32), "")
        parts = self.parts or [none]
        place, rank = (np.concatenate([part[column] for part in parts]) for column in (0, 1))
        reason = np.repeat([number.get(part[2], 0) for part in parts], [len(part[0]) for part in parts])
        # One key of 64 bits sorts several times faster than three.
        key = place.astype(np.int64) << 32 | (rank.astype(np.int64) + 1)
        order = np.lexsort((reason, key))
        ranks = pa.array(rank[order], pa.int32(), mask=rank[order] == UNSAID)
        names = pa.DictionaryArray.from_arrays(pa.array(reason[order], pa.int32()), pa.array(reasons, pa.string()))
        columns = [pa.array(ids[place[order]], pa.int64()), ranks, names]
        return require(pa.table(columns, names=RERANKER_DROPPED.names), RERANKER_DROPPED, "reranker (dropped)")
