"""Texts as a published model takes them: cut to what it looks at, alone or in pairs.

The tokenizer only splits texts. Cutting and joining is done here, as it does it: where it cuts two long texts, it makes
all combinations of all the pieces cut off, which for two of 100 kB take gigabytes that nobody reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

_CHARS_PER_TOKEN = 16
"""Texts with fewer characters per token than this are not worth cutting before they are read."""


@dataclass(frozen=True)
class ReadText:
    """The first tokens of a text, no more than are looked at, without special ones."""

    text: str
    ids: list[int]


@dataclass(frozen=True)
class Row:
    """One input of the model: tokens with special ones, and which of two texts each belongs to."""

    ids: list[int]
    type_ids: list[int]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class _Special:
    """Special tokens that stand in a row, or None: the place of the next text."""

    ids: tuple[int, ...] | None
    type_id: int


class TextTokenizer:
    """Makes the inputs of a model. Thread-safe.

    Args:
        file: ``tokenizer.json``.
        max_tokens: tokens that are looked at, special ones included.
        inputs: names of the model's inputs, out of ``input_ids``, ``attention_mask`` and ``token_type_ids``.
        pad_token_id: what fills up the rows of shorter texts.

    """

    def __init__(self, file: Path, max_tokens: int, inputs: Sequence[str], pad_token_id: int = 0):
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._max_tokens, self._inputs, self._pad_token_id = max_tokens, tuple(inputs), pad_token_id
        self._alone, self._paired = (_frame(self._tokenizer.encode("a", second)) for second in (None, "b"))

    def read(self, text: str) -> ReadText:
        """Return the first tokens of a text."""
        prefix = self._prefix(text)
        ids = self._tokenizer.encode(prefix, add_special_tokens=False).ids
        if len(prefix) < len(text) and len(ids) < self._max_tokens:
            ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ReadText(text, ids[: self._max_tokens])

    def alone(self, read: ReadText) -> Row:
        """Return one text as the model takes it."""
        return _row(self._alone, [read.ids[: self._room(self._alone)]])

    def pair(self, first: ReadText, second: ReadText) -> Row:
        """Return two texts as one input: the longer one is cut first, then both to one length."""
        room = self._room(self._paired)
        short, long = sorted((len(first.ids), len(second.ids)))
        if short + long > room:
            # In the end both are cut, and of an odd number of tokens the longer text has one more.
            short, long = (room // 2, room - room // 2) if short > room // 2 else (short, room - short)
        is_first_longer = self._is_longer(first, second)
        lengths = (long, short) if is_first_longer else (short, long)
        return _row(self._paired, [read.ids[:length] for read, length in zip((first, second), lengths, strict=True)])

    def batch(self, rows: Sequence[Row]) -> dict[str, np.ndarray]:
        """Return the model's inputs: int64 of shape (len(rows), tokens of the longest) each."""
        shape = (len(rows), max(map(len, rows), default=0))
        filled = {"input_ids": np.full(shape, self._pad_token_id, np.int64)}
        filled |= {name: np.zeros(shape, np.int64) for name in ("attention_mask", "token_type_ids")}
        for number, row in enumerate(rows):
            filled["input_ids"][number, : len(row)] = row.ids
            filled["attention_mask"][number, : len(row)] = 1
            filled["token_type_ids"][number, : len(row)] = row.type_ids
        return {name: filled[name] for name in self._inputs}

    def _room(self, frame: Sequence[_Special]) -> int:
        """Return how many tokens of texts there is room for beside the special ones."""
        return max(0, self._max_tokens - sum(len(part.ids) for part in frame if part.ids is not None))

    def _is_longer(self, first: ReadText, second: ReadText) -> bool:
        """Tell whether the first text has more tokens, those that are not looked at too."""
        if len(first.ids) == len(second.ids) == self._max_tokens:
            return self._length(first.text) > self._length(second.text)
        return len(first.ids) > len(second.ids)

    def _length(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def _prefix(self, text: str) -> str:
        """Return the first words of a long text: reading 100 kB for its first 256 tokens takes 80 ms."""
        if len(text) < self._max_tokens * _CHARS_PER_TOKEN:
            return text
        # Nearly each word is a token at least; where they were not, the whole text is read.
        words = text.split(maxsplit=2 * self._max_tokens)
        return text[: len(text) - len(words[-1])].rstrip() if len(words) > 2 * self._max_tokens else text


def _frame(example: Any) -> list[_Special]:
    """Return what the tokenizer puts around texts, from what it made of one or two."""
    frame, tokens = [], zip(example.sequence_ids, example.ids, example.type_ids, strict=True)
    for sequence, group in groupby(tokens, key=lambda token: token[0]):
        members = list(group)
        ids = tuple(token[1] for token in members) if sequence is None else None
        frame.append(_Special(ids, members[0][2]))
    return frame


def _row(frame: Sequence[_Special], texts: Sequence[list[int]]) -> Row:
    ids, type_ids, left = [], [], iter(texts)
    for part in frame:
        new = next(left) if part.ids is None else part.ids
        ids += new
        type_ids += [part.type_id] * len(new)
    return Row(ids, type_ids)
