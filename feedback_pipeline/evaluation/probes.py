"""Probes tell whether what is about to be published would find less than what is live.

A probe is a verified example asked as a question, held out from what is searched: another example of the same SQL
skeleton in the same database is a right find. Both the rows that are live and those to be published are asked the same
probes, each with its own encoder, so that what differs is the index and not the questions. A file of probes may be
added. Which examples become probes is decided by hash, so the same data is probed in the same way.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from feedback_pipeline.evaluation.intervals import PairedDifference

MOST_PROBES = 200
K = 3
"""A probe counts as found where one of so many examples is right: as many as agents are given by default."""
CHANCE = 0.01
"""A drop counts only where it is less likely than this by chance; that takes 7 lost probes at least."""

COLUMNS = ("example_id", "database_id", "natural_query", "sql_skeleton")

Template = tuple[str, str]
"""Database and SQL skeleton."""
Ask = Callable[["Probe", int], Sequence[str]]
"""Returns the SQL skeletons of the first k examples found for a probe in its database."""


class ProbeFileError(ValueError):
    """The file of probes cannot be used; the text names the line and the field."""


@dataclass(frozen=True)
class Probe:
    """A question, and the template of which an example should be found. ``example_id`` is what is held out."""

    database_id: str
    natural_query: str
    sql_skeleton: str
    example_id: str | None = None

    @property
    def template(self) -> Template:
        """Database and SQL skeleton."""
        return self.database_id, self.sql_skeleton


@dataclass(frozen=True)
class RecallChange:
    """How many probes are found before and after; ``difference`` is positive where more are found."""

    difference: PairedDifference

    def is_drop(self, max_drop: float) -> bool:
        """Tell whether recall falls by more than ``max_drop`` (0-1) and hardly by chance."""
        drop = -(self.difference.value or 0.0)
        return drop > max_drop and self.difference.chance_of_loss < CHANCE

    @property
    def words(self) -> str:
        """The same for people."""
        one = self.difference
        before, after = one.both + one.only_old, one.both + one.only_new
        return (
            f"{after} of {one.n} probes find an example of their SQL template among the first {K}, {before} in what is "
            f"live; {one.only_old} lost, {one.only_new} gained"
        )


def choose_probes(shared: pa.Table, limit: int = MOST_PROBES) -> list[Probe]:
    """Return up to ``limit`` probes of examples, at least one example of each template being left to be found.

    Args:
        shared: the examples that both sides hold, with COLUMNS.
        limit: most probes; templates take turns, so that none crowds out the others.

    """
    groups: defaultdict[Template, list[Probe]] = defaultdict(list)
    for row in shared.select(COLUMNS).to_pylist():
        probe = Probe(row["database_id"], row["natural_query"], row["sql_skeleton"], row["example_id"])
        groups[probe.template].append(probe)
    ordered = (sorted(group, key=_chance) for group in groups.values())
    # The first of each group always stays to be found.
    turns = [(turn, _chance(probe), probe) for group in ordered for turn, probe in enumerate(group[1:])]
    return [probe for _, _, probe in sorted(turns, key=lambda item: item[:2])[:limit]]


def read_probes(text: str, name: str, skeleton_of: Callable[[str, str], str], limit: int = MOST_PROBES) -> list[Probe]:
    """Return the probes of a JSON Lines text with natural_query, sql and database_id.

    Args:
        text: of the file.
        name: of the file, for messages.
        skeleton_of: returns the SQL skeleton of (sql, database_id).
        limit: most probes, chosen by hash.

    Raises:
        ProbeFileError: a line is no object, or lacks a field.

    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    probes = (_probe(number, line, name, skeleton_of) for number, line in lines)
    return sorted(dict.fromkeys(probes), key=_chance)[:limit]


def _probe(number: int, line: str, name: str, skeleton_of: Callable[[str, str], str]) -> Probe:
    try:
        row: Any = json.loads(line)
    except ValueError as error:
        raise ProbeFileError(f"{name}, line {number}: is not JSON: {error}") from error
    fields: list[Any] = [
        row.get(field) if isinstance(row, dict) else None for field in ("natural_query", "sql", "database_id")
    ]
    if not all(isinstance(value, str) and value.strip() for value in fields):
        raise ProbeFileError(f"{name}, line {number}: needs natural_query, sql and database_id, each a text")
    question, sql, database_id = fields
    return Probe(database_id, question, skeleton_of(sql, database_id))


def answerable(probes: Iterable[Probe], *sides: Mapping[Template, int]) -> list[Probe]:
    """Return the probes that every side could find an example for.

    Args:
        probes: to choose from.
        sides: how many examples of each template a side searches, the held-out ones not counted.

    """
    return [probe for probe in probes if all(side.get(probe.template, 0) > 0 for side in sides)]


def compare(probes: Sequence[Probe], candidate: Ask, live: Ask) -> RecallChange:
    """Ask both sides every probe."""
    found = [[probe.sql_skeleton in ask(probe, K) for probe in probes] for ask in (candidate, live)]
    return RecallChange(PairedDifference.of(found[0], found[1]))


def _chance(probe: Probe) -> str:
    key = f"{probe.database_id}\n{probe.example_id or ''}\n{probe.natural_query}"
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
