"""Questions as sets of words, in a form in which a million can be compared."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)"
)
"""Runs of scripts that are written without blanks: Thai, Lao, Burmese, Khmer, Kana and Han."""

_COMPARED_AT_ONCE = 1 << 18


def without_punctuation(token: str) -> list[str]:
    """Return the words of a token whose punctuation is left out: ``u.s.`` is ``us``."""
    return [token] if _is_word(token) else _words(_blanked(token).replace(" ", ""))


def split_at_punctuation(token: str) -> list[str]:
    """Return the words of a token that are left between its punctuation: ``club/team`` is ``club`` and ``team``."""
    return [token] if _is_word(token) else [word for part in _blanked(token).split() for word in _words(part)]


def as_written(token: str) -> list[str]:
    """Return a token as its one word, with all that stands in it."""
    return [token] if token else []


READINGS: tuple[Callable[[str], list[str]], ...] = (without_punctuation, split_at_punctuation, as_written)
"""Ways to read the words of a question: others would cut them in one of these."""


def _is_word(token: str) -> bool:
    return token.isalnum() and (token.isascii() or not _UNSPACED.search(token))


def _blanked(token: str) -> str:
    """Return the token with a blank for each character that is no letter, mark or digit."""
    return "".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in token)


def _words(text: str) -> list[str]:
    """Return ``text`` as one word; what is written without blanks as its pairs of neighbouring characters.

    So search engines index these scripts (Lucene's CJKAnalyzer).
    """
    pieces: list[str] = []
    for part in filter(None, _UNSPACED.split(text)):
        pairs = [part[place : place + 2] for place in range(len(part) - 1)] if _UNSPACED.match(part) else []
        pieces += pairs or [part]
    return pieces


@dataclass(frozen=True)
class Tokens:
    """What stands between the blanks of each question.

    Attributes:
        questions: how many there are.
        rows: the row of each token, ascending (tokens,).
        codes: its place in ``vocabulary`` (tokens,).
        vocabulary: the distinct tokens.
    """

    questions: int
    rows: np.ndarray
    codes: np.ndarray
    vocabulary: list[str]

    @staticmethod
    def of(questions: pa.ChunkedArray | pa.Array) -> Tokens:
        """Split canonical questions at their blanks."""
        whole = questions.combine_chunks() if isinstance(questions, pa.ChunkedArray) else questions
        split = pc.split_pattern(whole.cast(pa.large_string()), pattern=" ")
        encoded = split.flatten().dictionary_encode()
        rows = pc.list_parent_indices(split).to_numpy().astype(np.int32)
        return Tokens(len(whole), rows, encoded.indices.to_numpy(), encoded.dictionary.to_pylist())

    def differing(self, reading: Callable[[str], list[str]]) -> np.ndarray:
        """Tell which rows have other words in this reading than in the first one: booleans of shape (rows,)."""
        if reading is READINGS[0]:
            return np.ones(self.questions, bool)
        differs = (not _is_word(token) and reading(token) != READINGS[0](token) for token in self.vocabulary)
        other = np.fromiter(differs, bool, len(self.vocabulary))
        rows = np.zeros(self.questions, bool)
        rows[self.rows[other[self.codes]]] = True
        return rows

    def words(self, reading: Callable[[str], list[str]]) -> tuple[np.ndarray, np.ndarray, int]:
        """Return row and number of each word, a word as often as it is there, and how many numbers there are."""
        number: dict[str, int] = {}
        parts = [[number.setdefault(word, len(number)) for word in reading(token)] for token in self.vocabulary]
        sizes = np.array([len(part) for part in parts], np.int32)
        flat = np.array([word for part in parts for word in part], np.int32)
        counts = sizes[self.codes]
        # Where the words of each token begin in ``flat``, less where they will stand in the result.
        shift = (np.cumsum(sizes) - sizes)[self.codes] - (np.cumsum(counts) - counts)
        places = np.repeat(shift, counts)
        places += np.arange(len(places))
        return np.repeat(self.rows, counts), flat[places], len(number)


@dataclass(frozen=True)
class WordSets:
    """The words of each row as numbers, in the order rarest first within the row's database.

    A word has another number in another database, so rows of two databases have none in common.

    Attributes:
        starts: where the words of each row begin in ``words``, and where the last end (rows + 1,).
        words: numbers of words, ascending within a row.
        hashes: 64 bits for each number.
    """

    starts: np.ndarray
    words: np.ndarray
    hashes: np.ndarray

    @staticmethod
    def of(tokens: Tokens, reading: Callable[[str], list[str]], databases: np.ndarray | None = None) -> WordSets:
        """Return the word sets of questions.

        Args:
            tokens: of the questions.
            reading: one of READINGS.
            databases: a number for the database of each row (rows,); None: words count alike in all.
        """
        rows, words, count = tokens.words(reading)
        if databases is not None:
            local = pa.array(databases.astype(np.int64)[rows] * count + words).dictionary_encode()
            words, count = local.indices.to_numpy(), len(local.dictionary)
        rank = np.empty(count, np.int64)
        rank[np.argsort(np.bincount(words, minlength=count), kind="stable")] = np.arange(count)
        cells = rows * np.int64(max(count, 1))
        cells += rank[words]
        cells.sort()
        cells = cells[np.diff(cells, prepend=-1) != 0]
        starts = np.searchsorted(cells, np.arange(tokens.questions + 1) * max(count, 1))
        words = cells % max(count, 1)
        return WordSets(starts, words.astype(np.int32), _hashes(count))

    @cached_property
    def sizes(self) -> np.ndarray:
        """The number of words of each row."""
        return np.diff(self.starts)

    def equal_pairs(self) -> np.ndarray:
        """Return pairs (2 x m) of each row whose words are those of an earlier one, and the first such."""
        sums = np.append(np.uint64(0), np.cumsum(self.hashes[self.words]))
        whole = sums[self.starts[1:]] - sums[self.starts[:-1]]
        rows = np.flatnonzero(self.sizes)
        _, first, inverse = np.unique(whole[rows], return_index=True, return_inverse=True)
        pairs = np.stack([rows, rows[first][inverse]])
        return pairs[:, pairs[0] != pairs[1]]

    def alike(self, pairs: np.ndarray, ratio: Fraction) -> np.ndarray:
        """Tell for each of the pairs (2 x m) whether the Jaccard similarity of the two rows is at least ``ratio``."""
        steps = range(0, pairs.shape[1], _COMPARED_AT_ONCE)
        common = [self._common(pairs[:, step : step + _COMPARED_AT_ONCE]) for step in steps]
        shared = np.concatenate([np.zeros(0, np.int64), *common])
        union = self.sizes[pairs[0]] + self.sizes[pairs[1]] - shared
        return shared * ratio.denominator >= union * ratio.numerator

    def _common(self, pairs: np.ndarray) -> np.ndarray:
        return self._matrix[pairs[0]].multiply(self._matrix[pairs[1]]).sum(axis=1).astype(np.int64)

    @cached_property
    def _matrix(self) -> csr_array:
        # Imported late: scipy is a tenth of what loading Dagster's definitions would cost.
        from scipy.sparse import csr_array

        cells = (np.ones(len(self.words), np.int8), self.words, self.starts)
        return csr_array(cells, shape=(len(self.sizes), len(self.hashes)))


def _hashes(count: int) -> np.ndarray:
    """Return 64 well-mixed bits for each number below ``count`` (SplitMix64; Steele, Lea and Flood 2014)."""
    mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
