"""BM25: how many of the query's words a passage has, rare words counting more, long passages less.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the inverse document
frequency of Lucene, which is never negative.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feedback_pipeline.reranker.scoring.folder import ModelFolderError
from feedback_pipeline.tables.files import write_json

FILE = "bm25.json"
K1 = 1.2
B = 0.75
_WORD = re.compile(r"\w+")


def terms_of(text: str) -> list[str]:
    """Return the words of a text, in lower case, in their order."""
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class Bm25Statistics:
    """What BM25 knows of a collection of passages.

    Attributes:
        documents: how many passages were counted.
        average_length: words of a passage, on average.
        document_frequency: in how many passages each word occurs.
        k1: how soon a repeated word counts no more.
        b: how much long passages are held back, from 0 to 1.
    """

    documents: int
    average_length: float
    document_frequency: Mapping[str, int]
    k1: float = K1
    b: float = B

    @classmethod
    def from_passages(cls, passages: Iterable[str], k1: float = K1, b: float = B) -> "Bm25Statistics":
        """Count the words of ``passages``, which are read once; equal passages count as often as they come."""
        frequency: Counter[str] = Counter()
        documents = words = 0
        for passage in passages:
            terms = terms_of(passage)
            documents, words = documents + 1, words + len(terms)
            frequency.update(set(terms))
        return cls(documents, words / documents if documents else 0.0, dict(sorted(frequency.items())), k1, b)

    def as_dict(self) -> dict[str, Any]:
        """Return the content of ``bm25.json``."""
        return {
            "documents": self.documents,
            "average_length": self.average_length,
            "k1": self.k1,
            "b": self.b,
            "document_frequency": dict(self.document_frequency),
        }

    def write(self, folder: Path) -> None:
        """Write ``bm25.json`` into ``folder``. Raises StorageError."""
        write_json(str(folder / FILE), self.as_dict())

    @classmethod
    def read(cls, folder: Path) -> "Bm25Statistics":
        """Return what lies in ``folder``. Raises ModelFolderError."""
        path = folder / FILE
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            frequency = {str(term): int(count) for term, count in document["document_frequency"].items()}
            numbers = (float(document[name]) for name in ("average_length", "k1", "b"))
            average_length, k1, b = numbers
            return cls(int(document["documents"]), average_length, frequency, k1, b)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFolderError(f"{path} cannot be used: {type(error).__name__}: {error}") from error

    def idf(self, term: str) -> float:
        """Return how much a word tells, above 0: the rarer it is, the more."""
        found = min(self.document_frequency.get(term, 0), self.documents)
        return math.log1p((self.documents - found + 0.5) / (found + 0.5))


class Bm25:
    """The part ``bm25``. Thread-safe."""

    def __init__(self, statistics: Bm25Statistics):
        self.statistics = statistics

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return the score of each (query, passage): float32 of shape (len(pairs),), at least 0."""
        queries = {query: self._weighted_terms(query) for query in {query for query, _ in pairs}}
        passages = {passage: Counter(terms_of(passage)) for passage in {passage for _, passage in pairs}}
        scores = (self._score(queries[query], passages[passage]) for query, passage in pairs)
        return np.fromiter(scores, np.float32, len(pairs))

    def _weighted_terms(self, query: str) -> list[tuple[str, float]]:
        return [(term, times * self.statistics.idf(term)) for term, times in Counter(terms_of(query)).items()]

    def _score(self, query: list[tuple[str, float]], passage: Counter[str]) -> float:
        known = self.statistics
        length = passage.total() / known.average_length if known.average_length else 1.0
        held_back = known.k1 * (1 - known.b + known.b * length)
        found = ((weight, passage[term]) for term, weight in query if term in passage)
        return sum(weight * times * (known.k1 + 1) / (times + held_back) for weight, times in found)
