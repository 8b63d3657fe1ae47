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
        ranked = sorted(self._stems_of, key=lambda table: (-self._likeness(table, words), table))
        return "\n".join(line for _, line in sorted(self._fitting(ranked, words)))

    def _likeness(self, table: str, words: set[str]) -> float:
        """Return how many words of the question the table's names hold; its own name counts double."""
        named, columns = self._stems_of[table]
        return 2 * len(named & words) + len(columns & words)

    @cached_property
    def _stems_of(self) -> dict[str, tuple[set[str], set[str]]]:
        """The stems of each table's name and of its columns: the same for all questions."""
        return {
            table: (_stems(table), {stem for column in columns for stem in _stems(column)})
            for table, columns in (self.schema or {}).items()
        }

    @cached_property
    def _lines(self) -> dict[str, str]:
        return {table: _line(table, columns) for table, columns in (self.schema or {}).items()}

    def _fitting(self, ranked: list[str], words: set[str]) -> list[tuple[str, str]]:
        """Return the tables that fit with their lines; the best one is shown with some of its columns if need be."""
        best = ranked[0]
        chosen = [(best, self._cut(best, words))]
        room = self.max_chars - len(chosen[0][1])
        for table in ranked[1:]:
            length = len(self._lines[table]) + 1
            if length <= room:
                chosen.append((table, self._lines[table]))
                room -= length
        return chosen

    def _cut(self, table: str, words: set[str]) -> str:
        """Return a table with as many columns as fit, those that the question names first, in their own order."""
        if len(self._lines[table]) <= self.max_chars:
            return self._lines[table]
        columns = (self.schema or {})[table]
        wanted = sorted(columns, key=lambda name: not (_stems(name) & words))
        shown, room = set(), self.max_chars - len(f"{table}(, …)")
        for name in wanted:
            length = len(f", {name} {columns[name]}")
            if length > room:
                break
            shown.add(name)
            room -= length
        return _line(table, {name: kind for name, kind in columns.items() if name in shown})[:-1] + ", …)"


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
