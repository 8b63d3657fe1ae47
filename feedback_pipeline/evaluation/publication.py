"""Both sides of a publication are asked the same probes: the rows that are live, and those that are to be."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.curation.embedding import Encode
from feedback_pipeline.evaluation.probes import (
    COLUMNS,
    Probe,
    RecallChange,
    Template,
    answerable,
    choose_probes,
    compare,
)
from feedback_pipeline.example_index.catalog import IndexCatalog, Publication
from feedback_pipeline.example_index.dictionaries import Dictionaries, Sample
from feedback_pipeline.example_index.rows import index_rows
from feedback_pipeline.masking.dictionary import ValueDictionary
from feedback_pipeline.masking.examples import learn_values, literals_of
from feedback_pipeline.retrieval.slices import DatabaseSlice

MOST_ROWS = 100_000
"""So many rows are searched on a side, about; of more than that, databases and then rows are chosen by hash."""

_IDENTITY = ["database_id", "example_id", "row_digest"]
_IDS = 16**16

SkeletonOf = Callable[[str, str], str]
"""(SQL, database) to SQL skeleton."""


@dataclass(frozen=True)
class Side:
    """What is searched: index rows, the encoder their vectors were made with, and the values of each database."""

    rows: pa.Table
    encode: Encode
    dictionary_of: Callable[[str], ValueDictionary | None]


@dataclass(frozen=True)
class _Part:
    """The part of both sides that is looked at: some databases, and rows whose id is below ``id_below``."""

    databases: list[str]
    id_below: str | None


def recall_change(
    embedded: pa.Table,
    encode: Encode,
    catalog: IndexCatalog,
    live: Publication,
    live_encode: Encode,
    *,
    samples: Mapping[str, Sample],
    still_wanted: Callable[[pa.Table], pa.Table],
    skeleton_of: SkeletonOf,
    further: Sequence[Probe] = (),
) -> RecallChange | None:
    """Return how recall would change with the publication of ``embedded``; None where nothing would be published.

    Args:
        embedded: all examples that are to be live (schemas.embedded_feedback).
        encode: embeds questions with the model of ``embedded``.
        catalog: where the index lies.
        live: the live publication.
        live_encode: embeds questions with the model of ``live``.
        samples: database → (text, ``table.column``) found in it, as they would be published.
        still_wanted: returns the live rows nobody has taken back: what people reject must be able to leave.
        skeleton_of: returns the SQL skeleton of live examples that have none noted.
        further: probes besides those made of the examples.

    Raises:
        IndexNotFoundError: the live publication cannot be read.
        DictionaryNotFoundError: a dictionary of values published with it cannot.

    """
    rows = index_rows(embedded)
    part = _part(rows, _identity(catalog, live))
    if part is None:
        return None
    skeletons = dict(zip(rows["example_id"].to_pylist(), rows["sql_skeleton"].to_pylist(), strict=True))
    live_rows = _with_skeletons(still_wanted(_live_rows(catalog, live, part)), skeletons, skeleton_of)
    published = _Published(catalog, live)
    candidate = Side(_cut(rows, part), encode, lambda name: _learned(rows, name, samples.get(name, ())))
    return _asked(candidate, Side(live_rows, live_encode, published.dictionary), further)


class _Published:
    """The dictionaries that belong to a publication."""

    def __init__(self, catalog: IndexCatalog, live: Publication):
        self._stored = Dictionaries(catalog.root)
        self._keys = self._stored.keys(live.values_digest)

    def dictionary(self, database_id: str) -> ValueDictionary | None:
        """Return the dictionary of a database, if there is one."""
        return self._stored.read(self._keys[database_id]) if database_id in self._keys else None


def _learned(rows: pa.Table, database_id: str, sample: Sample) -> ValueDictionary:
    """Return the dictionary as it would be published with ``rows``."""
    part = rows.filter(pc.equal(rows["database_id"], database_id))
    return learn_values(part["natural_query"].to_pylist(), literals_of(part["values"]), sample)


def _part(rows: pa.Table, live: pa.Table) -> _Part | None:
    """Return the databases whose content differs, as many as there is room for; None where none does."""
    changed = _only_in(rows, live) | _only_in(live, rows)
    sizes = Counter(name for name in rows["database_id"].to_pylist() if name in changed)
    chosen: list[str] = []
    for name in sorted(changed, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if chosen and sum(sizes[one] for one in chosen) + sizes[name] > MOST_ROWS:
            break
        chosen.append(name)
    total = sum(sizes[name] for name in chosen)
    id_below = f"{_IDS * MOST_ROWS // total:016x}" if total > MOST_ROWS else None
    return _Part(sorted(chosen), id_below) if chosen else None


def _only_in(some: pa.Table, others: pa.Table) -> set[str]:
    """Return the databases of the rows that ``others`` does not hold to the letter."""
    keys, known = (
        pc.binary_join_element_wise(*(rows[name] for name in _IDENTITY), "\n").combine_chunks()
        for rows in (some, others)
    )
    missing = pc.invert(pc.is_in(keys, value_set=known))
    return set(some["database_id"].filter(missing).unique().to_pylist())


def _identity(catalog: IndexCatalog, live: Publication) -> pa.Table:
    return catalog.open_publication(live).search().select(_IDENTITY).limit(None).to_arrow()


def _live_rows(catalog: IndexCatalog, live: Publication, part: _Part) -> pa.Table:
    table = catalog.open_publication(live)
    below = f" AND example_id < '{part.id_below}'" if part.id_below else ""
    names = ", ".join("'{}'".format(name.replace("'", "''")) for name in part.databases)
    return table.search().where(f"database_id IN ({names}){below}").limit(None).to_arrow()


def _cut(rows: pa.Table, part: _Part) -> pa.Table:
    rows = rows.filter(pc.is_in(rows["database_id"], value_set=pa.array(part.databases, pa.string())))
    return rows.filter(pc.less(rows["example_id"], part.id_below)) if part.id_below else rows


def _with_skeletons(rows: pa.Table, skeletons: Mapping[str, str], skeleton_of: SkeletonOf) -> pa.Table:
    """Return live rows with the skeletons that their examples have by now, or else had."""
    noted = rows["sql_skeleton"].to_pylist() if "sql_skeleton" in rows.column_names else [None] * rows.num_rows
    columns = (rows[name].to_pylist() for name in ("example_id", "sql", "database_id"))
    found = [
        skeletons.get(example_id) or known or skeleton_of(sql, database_id)
        for known, example_id, sql, database_id in zip(noted, *columns, strict=True)
    ]
    others = rows.select([name for name in rows.column_names if name != "sql_skeleton"])
    return others.append_column("sql_skeleton", pa.array(found, pa.string()))


def _asked(candidate: Side, live: Side, further: Sequence[Probe]) -> RecallChange:
    both = pc.is_in(candidate.rows["example_id"], value_set=live.rows["example_id"].combine_chunks())
    probes = choose_probes(candidate.rows.filter(both).select(COLUMNS))
    held_out = pa.array([probe.example_id for probe in probes], pa.string())
    searches = [_Search(side, held_out) for side in (candidate, live)]
    asked = answerable([*probes, *further], *(search.templates for search in searches))
    for search in searches:
        search.prepare(asked)
    return compare(asked, searches[0].ask, searches[1].ask)


class _Search:
    """Searches one side as a retriever does, without the examples held out."""

    def __init__(self, side: Side, held_out: pa.Array):
        self._rows = side.rows.filter(pc.invert(pc.is_in(side.rows["example_id"], value_set=held_out)))
        self._side = side
        columns = (self._rows[name].to_pylist() for name in ("example_id", "sql_skeleton"))
        self._skeletons: dict[str, str] = dict(zip(*columns, strict=True))
        self._slices: dict[str, DatabaseSlice] = {}
        self._vectors: dict[str, np.ndarray] = {}

    @property
    def templates(self) -> Counter[Template]:
        """How many examples there are of each template."""
        columns = (self._rows[name].to_pylist() for name in ("database_id", "sql_skeleton"))
        return Counter(zip(*columns, strict=True))

    def prepare(self, probes: Sequence[Probe]) -> None:
        """Load what is searched and embed all questions at once, plain and masked."""
        for database_id in sorted({probe.database_id for probe in probes}):
            rows = self._rows.filter(pc.equal(self._rows["database_id"], database_id))
            self._slices[database_id] = DatabaseSlice.from_table(rows, self._side.dictionary_of(database_id))
        texts = sorted({text for probe in probes for text in (probe.natural_query, self._masked(probe))})
        if texts:
            self._vectors = dict(zip(texts, self._side.encode(texts), strict=True))

    def ask(self, probe: Probe, k: int) -> list[str]:
        """Return the SQL skeletons of the first ``k`` examples for a probe that was prepared."""
        examples = self._slices[probe.database_id]
        best = examples.best(self._vectors[probe.natural_query], self._vectors[self._masked(probe)], k)
        found = examples.rows["example_id"].take([row for row, _ in best]).to_pylist()
        return [self._skeletons[example_id] for example_id in found]

    def _masked(self, probe: Probe) -> str:
        return self._slices[probe.database_id].masker.mask(probe.natural_query).text
