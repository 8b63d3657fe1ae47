"""The database schema as a prompt shows it: all of it where it is short, what the question is about where it is not."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

Schema = Mapping[str, Mapping[str, str]]
"""{table: {column: type}}"""

UNKNOWN = "(not known)"

_WORDS = re.compile(r"[^\W_]+")
_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SHORTEST_WORD = 3
_ENDINGS = ("ies", "es", "s")


@dataclass(frozen=True)
class SchemaText:
    """One database's schema as text, at most ``max_chars`` long.

    Attributes:
        schema: {table: {column: type}}, None where it is not known.
        max_chars: a longer schema is pruned, question by question.
    """

    schema: Schema | None
    max_chars: int

    @cached_property
    def whole(self) -> str | None:
        """The text for every question, None where it has to be pruned."""
        text = _text(self.schema) if self.schema else UNKNOWN
        return text if len(text) <= self.max_chars else None

    @property
    def listed(self) -> dict[str, list[tuple[str, str]]] | None:
        """The schema with its columns as pairs, {table: [(column, type)]}: they keep their order where keys do not."""
        return None if self.schema is None else {table: list(columns.items()) for table, columns in self.schema.items()}

    @staticmethod
    def of_listed(listed: Mapping[str, Iterable[tuple[str, str]]] | None, max_chars: int) -> "SchemaText":
        """Return the text of what ``listed`` gave, also after it was written as JSON."""
        return SchemaText(None if listed is None else {table: dict(listed[table]) for table in listed}, max_chars)

    def for_question(self, question: str) -> str:
        """Return the text for one question: the tables most like it first, as many as fit, in the order of their names.

        The answer plays no part in it, so that a model is trained on what it will be shown.
        """
        if (whole := self.whole) is not None:
            return whole
        words = _stems(question)
        ranked = sorted(self.schema or {}, key=lambda table: (-self._likeness(table, words), table))
        return _text({table: (self.schema or {})[table] for table in self._fitting(ranked)})

    def _likeness(self, table: str, words: set[str]) -> float:
        """Return how many words of the question the table's names hold; its own name counts double."""
        columns = {stem for column in (self.schema or {})[table] for stem in _stems(column)}
        return 2 * len(_stems(table) & words) + len(columns & words)

    def _fitting(self, ranked: list[str]) -> list[str]:
        chosen, room = [], self.max_chars
        for table in ranked:
            length = len(_line(table, (self.schema or {})[table])) + 1
            if length <= room:
                chosen.append(table)
                room -= length
        return chosen or ranked[:1]


def _text(schema: Schema) -> str:
    return "\n".join(_line(table, schema[table]) for table in sorted(schema))


def _line(table: str, columns: Mapping[str, str]) -> str:
    return f"{table}({', '.join(f'{name} {kind}'.strip() for name, kind in columns.items())})"


def _stems(text: str) -> set[str]:
    words = (word.lower() for part in _WORDS.findall(text) for word in _HUMPS.split(part))
    return {_stem(word) for word in words if len(word) >= _SHORTEST_WORD}


def _stem(word: str) -> str:
    ending = next((e for e in _ENDINGS if word.endswith(e) and len(word) > len(e) + 2), "")
    return word[: len(word) - len(ending)] + ("y" if ending == "ies" else "")
