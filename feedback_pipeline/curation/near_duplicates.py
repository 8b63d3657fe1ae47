"""Near-duplicate questions: pairs whose sets of words overlap so far that they are one question said twice.

The join is exact, not an estimate like MinHash. It is prefix filtering (Chaudhuri, Ganti and Kaushik 2006; Bayardo, Ma
and Srikant 2007) with adaptive prefixes (Wang, Li and Feng 2012): words are put in order, rarest first, and rows are
grouped by the first word they may have in common, then by the first two, and so on, as long as a group is too large to
compare all its pairs. A row is in a group for each choice of words left out that the threshold allows. Rows that agree
in all words kept are linked as a star, so a template with a million values costs a million links, not their square.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa

from feedback_pipeline.curation.word_sets import READINGS, Tokens, WordSets

NEAR_DUPLICATE_JACCARD = 0.8
"""Jaccard similarity of two questions' word sets from which on they are near-duplicates."""

_COMPARED = 16
"""Groups of up to so many rows are compared pair by pair."""

_BATCH = 1 << 20
"""Entries that are worked on at once, about 100 bytes each; a group is never divided."""

_ROUNDS = (2, None)
"""Words that may be left out, round by round: what a cheap round has linked need not be looked at again."""

_LOW = 0xFFFFFFFF


def near_duplicate_pairs(
    questions: pa.ChunkedArray | pa.Array,
    *,
    databases: np.ndarray | None = None,
    linked: np.ndarray | None = None,
    splits: np.ndarray | None = None,
    threshold: float = NEAR_DUPLICATE_JACCARD,
) -> np.ndarray:
    """Return pairs of row numbers (2 x m, each ascending, in order) that link all near-duplicate questions.

    Two questions are near-duplicates where the Jaccard similarity of their sets of words is at least ``threshold`` in
    one of the READINGS. Each pair returned is one; pairs that others imply are left out. Two rows are connected by the
    pairs, and by what is ``linked``, if and only if they are so by those of the complete comparison (up to collisions
    of 64-bit hashes). With ``splits``, there is a pair if and only if the complete comparison has one across splits.
    Questions without words have no pairs.

    Time grows with the number of rows for questions of up to some thirty words. Many longer ones that are made of few
    words, yet hardly alike, take more: there are many ways to leave out a fifth of their words.

    Args:
        questions: canonical questions, none null.
        databases: a number for the database of each row (rows,), to compare rows of one database only.
        linked: ``components`` of rows whose connection is known and need not be found.
        splits: a number for the split of each row (rows,), to find only pairs across splits.
        threshold: above 0.5, at most 1; as the decimal it is written as.

    """
    size, tokens = len(questions), Tokens.of(questions)
    found = [np.zeros((2, 0), np.int64)]
    search = _Search(Fraction(str(threshold)), np.arange(size) if linked is None else linked, splits)
    for reading in READINGS:
        wanted = tokens.differing(reading)
        if wanted.any():
            found.append(search.links(WordSets.of(tokens, reading, databases), wanted))
    return _ordered(np.concatenate(found, axis=1))


def components(size: int, edges: np.ndarray, linked: np.ndarray | None = None) -> np.ndarray:
    """Return for each of ``size`` rows the first row that edges connect it to, also through others.

    Args:
        size: the number of rows.
        edges: pairs of row numbers (2 x m).
        linked: what this function returned for other edges, which then count as well.

    """
    # Imported late: scipy is a tenth of what loading Dagster's definitions would cost.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if linked is not None:
        edges = np.concatenate([edges, [np.arange(size), linked]], axis=1)
    graph = coo_array((np.ones(edges.shape[1], dtype=np.int8), (edges[0], edges[1])), shape=(size, size))
    count, found = connected_components(graph, directed=False)
    first = np.full(count, size, dtype=np.int64)
    np.minimum.at(first, found, np.arange(size))
    return first[found]


def _ordered(pairs: np.ndarray) -> np.ndarray:
    # Not np.unique, which hashes and is four times slower.
    codes = np.sort(pairs.min(axis=0) << 32 | pairs.max(axis=0))
    codes = codes[np.diff(codes, prepend=-1) != 0]
    return np.stack([codes >> 32, codes & _LOW])


@dataclass(frozen=True)
class _Entries:
    """Rows with a choice of words kept and left out so far, ordered by ``key``; equal keys make a group.

    Attributes:
        kept: the number of words kept, equal for all.
        row: the row number.
        at: how many of its words, rarest first, are decided.
        left: how many more may be left out.
        key: sum of the hashes of the words kept.
    """

    kept: int
    row: np.ndarray
    at: np.ndarray
    left: np.ndarray
    key: np.ndarray

    def take(self, which: np.ndarray | slice) -> _Entries:
        return _Entries(self.kept, self.row[which], self.at[which], self.left[which], self.key[which])

    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where each group begins, and its size."""
        starts = np.flatnonzero(np.append(True, self.key[1:] != self.key[:-1])[: len(self.key)])
        return starts, np.diff(np.append(starts, len(self.key)))


@dataclass
class _Search:
    """Finds near-duplicate pairs of rows that are not ``linked`` yet, and that lie in two splits if there are any.

    With o words in common, and a and b others, the similarity is o / (o + a + b): it is at least p/q exactly where
    p (a + b) <= (q - p) o.
    """

    ratio: Fraction
    linked: np.ndarray
    splits: np.ndarray | None

    def links(self, sets: WordSets, wanted: np.ndarray) -> np.ndarray:
        """Return pairs that connect all near-duplicates of which at least one is ``wanted``, and link them."""
        equal = sets.equal_pairs()
        rows = np.setdiff1d(np.flatnonzero(sets.sizes), equal[0], assume_unique=True)
        found = [self._apart(equal)]
        self.linked = components(len(wanted), equal, self.linked)
        # Only the first reading, in which all rows are wanted, has much to link.
        for most in _ROUNDS if wanted.all() else _ROUNDS[-1:]:
            new = np.concatenate([found[0][:, :0], *self._pairs(sets, wanted, rows, most)], axis=1)
            self.linked = components(len(wanted), new, self.linked)
            found.append(new)
        return np.concatenate(found, axis=1)

    def _pairs(self, sets: WordSets, wanted: np.ndarray, rows: np.ndarray, most: int | None) -> Iterator[np.ndarray]:
        """Yield near-duplicate pairs in which neither row leaves out more than ``most`` words."""
        left = self._may_omit(sets.sizes[rows], 0)
        none = np.zeros(len(rows), np.int32)
        left = left if most is None else np.minimum(left, most)
        pending = [_Entries(0, rows.astype(np.int32), none, left.astype(np.int32), none.astype(np.uint64))]
        while pending:
            large, small = _by_size(self._alive(sets, wanted, _extended(sets, pending.pop())))
            for candidates in (_all_pairs(small), _stars(sets, large)):
                candidates = _ordered(self._apart(candidates))
                yield candidates[:, sets.alike(candidates, self.ratio)]
            pending += _batches(large)

    def _may_omit(self, sizes: np.ndarray, other: np.ndarray | int) -> np.ndarray:
        """Return how many of its words a row may leave out at most where the other row leaves out ``other``."""
        p, q = self.ratio.numerator, self.ratio.denominator
        return ((q - p) * sizes - p * other) // q

    def _alive(self, sets: WordSets, wanted: np.ndarray, entries: _Entries) -> _Entries:
        """Return what can still become a pair, given the fewest words that anyone in the group leaves out."""
        starts, sizes = entries.groups()
        mixed = _vary(self.linked[entries.row], starts) & np.logical_or.reduceat(wanted[entries.row], starts)
        if self.splits is not None:
            mixed &= _vary(self.splits[entries.row], starts)
        entries = entries.take(np.repeat(mixed, sizes))
        starts, sizes = entries.groups()
        omitted = entries.at - entries.kept
        fewest = np.repeat(np.minimum.reduceat(omitted, starts), sizes)
        bound = self._may_omit(sets.sizes[entries.row], fewest) - omitted
        left = np.minimum(entries.left, bound.astype(np.int32))
        return _Entries(entries.kept, entries.row, entries.at, left, entries.key).take(left >= 0)

    def _apart(self, pairs: np.ndarray) -> np.ndarray:
        """Return the pairs that are asked for: not linked, and of two splits."""
        apart = self.linked[pairs[0]] != self.linked[pairs[1]]
        if self.splits is not None:
            apart &= self.splits[pairs[0]] != self.splits[pairs[1]]
        return pairs[:, apart]


def _vary(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.minimum.reduceat(values, starts) != np.maximum.reduceat(values, starts)


def _extended(sets: WordSets, entries: _Entries) -> _Entries:
    """Return each entry with each choice of the next word kept."""
    choices = np.minimum(entries.left, sets.sizes[entries.row] - entries.at - 1) + 1
    skipped = (np.arange(choices.sum()) - np.repeat(np.cumsum(choices) - choices, choices)).astype(np.int32)
    longer = entries.take(np.repeat(np.arange(len(choices)), choices))
    at = longer.at + skipped
    key = longer.key + sets.hashes[sets.words[sets.starts[longer.row] + at]]
    return _Entries(entries.kept + 1, longer.row, at + 1, longer.left - skipped, key).take(np.argsort(key))


def _by_size(entries: _Entries) -> tuple[_Entries, _Entries]:
    """Return the entries of large groups, and of those that are small enough to compare all pairs."""
    _, sizes = entries.groups()
    large = np.repeat(sizes > _COMPARED, sizes)
    return entries.take(large), entries.take(~large)


def _all_pairs(entries: _Entries) -> np.ndarray:
    starts, sizes = entries.groups()
    places = np.arange(len(entries.row))
    later = np.repeat(starts + sizes, sizes) - places - 1
    first = np.repeat(places, later)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    return np.stack([entries.row[first], entries.row[second]]).astype(np.int64)


def _stars(sets: WordSets, entries: _Entries) -> np.ndarray:
    """Return pairs of rows that may have just the kept words in common: each with one that leaves out the fewest.

    Whoever is near enough to any row of its group is so to that one too.
    """
    done = entries.take(sets.sizes[entries.row] - entries.at <= entries.left)
    starts, sizes = done.groups()
    row = done.row.astype(np.int64)
    centres = np.minimum.reduceat(sets.sizes[row] << 32 | row, starts) & _LOW
    return np.stack([row, np.repeat(centres, sizes)])


def _batches(entries: _Entries) -> Iterator[_Entries]:
    """Yield the entries in parts of about ``_BATCH``, whole groups each."""
    starts, _ = entries.groups()
    cuts = np.unique(np.searchsorted(starts, np.arange(0, len(entries.row), _BATCH)))
    bounds = np.append(starts[cuts[cuts < len(starts)]], len(entries.row)).tolist()
    for begin, end in pairwise(bounds):
        yield entries.take(slice(begin, end))
