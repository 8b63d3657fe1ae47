"""What masking finds in a question: the contract between masking, ranking and the adaptation of SQL."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["known", "quoted", "date", "time", "id", "number", "name"]


@dataclass(frozen=True)
class FoundValue:
    """A value that a question names.

    Attributes:
        start: where it begins in the question, in characters.
        end: where it ends.
        kind: ``known`` for a value of the database; else what its form tells (``name``: capital letters).
        columns: the columns it is known for as ``table.column`` in lower case, likeliest first; empty unless known.
        spellings: how SQL spells it, likeliest first (``New York`` for "new york"); for what is not known the text
            itself, without quotes.
    """

    start: int
    end: int
    kind: Kind
    columns: tuple[str, ...]
    spellings: tuple[str, ...]


@dataclass(frozen=True)
class MaskedQuestion:
    """A question with its values replaced by what they are.

    Attributes:
        question: as it was asked, in NFC and with single blanks; spans refer to it.
        text: with every value replaced by its column or kind, such as ``biggest city in [state name]``.
        values: what was replaced, in the order of the question; spans do not overlap.
    """

    question: str
    text: str
    values: tuple[FoundValue, ...]
