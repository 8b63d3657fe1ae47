"""What is known of the values of one database: how SQL spells them, which columns they are of, when they are none."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from feedback_pipeline.masking.slots import SlotModel


@dataclass(frozen=True)
class KnownValue:
    """A value of the database.

    Attributes:
        spellings: as it stands in SQL or in the database, likeliest first.
        columns: ``table.column`` → how much speaks for it.
        is_value: whether a question that holds the text names the value: "may" is a month in
            one of a hundred questions.
        exceptions: spellings in a question of which the opposite is true.
    """

    spellings: tuple[str, ...]
    columns: Mapping[str, float]
    is_value: bool = True
    exceptions: frozenset[str] = frozenset()

    def is_named_by(self, surface: str) -> bool:
        """Tell whether ``surface``, a text that differs from the value in case at most, names it in a question."""
        return self.is_value != (surface in self.exceptions)


@dataclass(frozen=True)
class ValueDictionary:
    """All values of one database by their folded text, and the words beside them.

    Attributes:
        values: folded text → what is known of it.
        labels: ``table.column`` → the column in words; columns that hold the same thing share their label.
        slots: which label a value stands for, told by the words beside it.
    """

    values: Mapping[str, KnownValue] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    slots: SlotModel = field(default_factory=SlotModel)


def labels_of(columns: Iterable[str]) -> dict[str, str]:
    """Return each ``table.column`` in words: ``state name``, or ``actor name`` where tables share a bare ``name``.

    ``state.state_name`` and ``city.state_name`` hold the same thing; ``actor.name`` and ``director.name`` do not.
    """
    distinct = sorted(set(columns))
    named = Counter(column.rpartition(".")[2] for column in distinct)
    labels = {}
    for column in distinct:
        table, _, name = column.rpartition(".")
        words = name.replace("_", " ").split()
        shared = table and named[name] > 1 and len(words) == 1
        labels[column] = " ".join([*table.replace("_", " ").split(), *words] if shared else words)
    return labels


def folded(text: str) -> str:
    """Return ``text`` in lower case, character by character, so that places stay the same."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(sign.lower() if len(sign.lower()) == 1 else sign for sign in text)
