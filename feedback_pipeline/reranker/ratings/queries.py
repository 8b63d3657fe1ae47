"""Questions of rated interactions: made safe, brought into one form per source, and joined where nearly the same."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from feedback_pipeline.curation.hidden_signs import normalise
from feedback_pipeline.curation.near_duplicates import components, near_duplicate_pairs
from feedback_pipeline.curation.privacy import redact
from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.reranker.ratings.dropped import BLANK_QUESTION, Dropped
from feedback_pipeline.reranker.ratings.reading import Interactions
from feedback_pipeline.reranker.ratings.texts import NONE

_LOW = 0xFFFFFFFF

Clean = Callable[[Sequence[str]], list[str]]
"""Returns texts as they may leave the store, in their order."""


def safe_queries(texts: Sequence[str]) -> list[str]:
    """Return texts without personal data, secrets and hidden signs, as ``curation.cleaning.clean_text`` does."""
    return [redact(normalise(text).text).text for text in texts]


def row_id(source: str, canonical: str) -> str:
    """Return the first 16 hex digits of SHA-256 over the source and the canonical question."""
    return hashlib.sha256(f"{source}\x1f{canonical}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Queries:
    """Distinct questions per source, ordered by ``row_ids``; columns of shape (queries,) unless said otherwise.

    Attributes:
        row_ids: 16 hexadecimal digits each.
        source: number of the source among those of the interactions.
        canonical: number of the canonical question in ``canonicals``.
        canonicals: the distinct canonical questions, in order.
        of_interaction: number of its question, NONE for one that is not asked about (interactions,).
        spelling: number of the safe text as spelled in ``spellings``, NONE likewise (interactions,).
        spellings: the distinct safe texts, in order.
    """

    row_ids: list[str]
    source: np.ndarray
    canonical: np.ndarray
    canonicals: list[str]
    of_interaction: np.ndarray
    spelling: np.ndarray
    spellings: list[str]

    def __len__(self) -> int:
        return len(self.row_ids)

    def clusters(self, which: np.ndarray) -> np.ndarray:
        """Return a number for each question (queries,), equal where those of ``which`` connect near-duplicates.

        The number is that of the first of its members among ``which``. Equal questions of different sources are
        near-duplicates too. Questions that ``which`` (a mask) leaves out are clusters of their own.
        """
        if not which.any():
            return np.arange(len(self))
        chosen, inverse = np.unique(self.canonical[which], return_inverse=True)
        questions = pa.array([self.canonicals[number] for number in chosen], pa.string())
        found = components(len(chosen), near_duplicate_pairs(questions))
        first = np.full(len(chosen), len(self), np.int64)
        np.minimum.at(first, found[inverse], np.flatnonzero(which))
        clusters = np.arange(len(self))
        clusters[which] = first[found[inverse]]
        return clusters


def distinct_queries(interactions: Interactions, asked: np.ndarray, clean: Clean, dropped: Dropped) -> Queries:
    """Return the distinct questions of the interactions that ``asked`` (a mask) chooses, each cleaned once.

    Questions whose safe texts are the same are one: who only reads the safe text cannot tell them apart, and what they
    teach must not contradict itself. Blank ones go to ``dropped``.
    """
    spelling, spellings = _spelled(interactions, asked, clean)
    canonicals, canonical_of = _numbered([canonical_question(text) for text in spellings])
    blank = np.array([*(text == "" for text in canonicals), True])
    there = ~blank[np.append(canonical_of, NONE)[spelling]]
    dropped.interactions(np.flatnonzero(asked & ~there), BLANK_QUESTION)
    pairs = interactions.source[there].astype(np.int64) << 32 | canonical_of[spelling[there]]
    pairs, number = np.unique(pairs, return_inverse=True)
    source, canonical = pairs >> 32, pairs & _LOW
    ids = _row_ids(interactions.sources, source, canonicals, canonical)
    order = np.argsort(ids)
    of_interaction = np.full(len(interactions), NONE, np.int32)
    of_interaction[there] = np.argsort(order)[number]
    in_order = ids[order].tolist(), source[order], canonical[order]
    return Queries(*in_order, canonicals, of_interaction, spelling, spellings)


def _spelled(interactions: Interactions, asked: np.ndarray, clean: Clean) -> tuple[np.ndarray, list[str]]:
    """Return the number of each interaction's safe question, NONE where not ``asked``, and the safe questions."""
    raw, place = np.unique(interactions.query[asked], return_inverse=True)
    safe = clean([interactions.queries[number] for number in raw])
    texts, numbers = _numbered([text.strip() for text in safe])
    spelling = np.full(len(interactions), NONE, np.int32)
    spelling[asked] = numbers[place]
    return spelling, texts


def _row_ids(sources: list[str], source: np.ndarray, canonicals: list[str], canonical: np.ndarray) -> np.ndarray:
    named = zip(source.tolist(), canonical.tolist(), strict=True)
    return np.array([row_id(sources[place], canonicals[number]) for place, number in named], "U16")


def _numbered(texts: list[str]) -> tuple[list[str], np.ndarray]:
    """Return the distinct texts in order, and the number of each text among them (texts,)."""
    distinct = sorted(set(texts))
    number = {text: place for place, text in enumerate(distinct)}
    return distinct, np.array([number[text] for text in texts], np.int64)
