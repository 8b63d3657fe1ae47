"""Writing the shards of a release in all configs: some at a time, each from rows that are read once."""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from feedback_pipeline.finetune.content.configs import Asked, Config
from feedback_pipeline.finetune.content.examples import NumberedRows
from feedback_pipeline.finetune.content.kind import DatasetKind
from feedback_pipeline.finetune.content.prompts import Prompts
from feedback_pipeline.finetune.content.rows import SPLITS
from feedback_pipeline.finetune.publishing.layout import SHARD_ROWS
from feedback_pipeline.finetune.publishing.staging import StagedVersion
from feedback_pipeline.tables.parquet import parquet_bytes

MOST_WRITERS = 4

Report = Callable[[int, int], None]
"""Told (rows done, rows in all)."""


@dataclass(frozen=True)
class ShardFile:
    """One file to be, and where it lies below the version."""

    config: Config
    split: str
    path: str


@dataclass(frozen=True)
class Shard:
    """Rows that share a file in each config that has something to show of them.

    Attributes:
        rows: the numbers of its rows, ascending.
        files: one for each such config.
        about: the places its questions are asked of, each with what identifies the facts that prompts tell of it.
    """

    rows: np.ndarray
    files: tuple[ShardFile, ...]
    about: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Rendering:
    """How rows become files.

    Attributes:
        kind: of the dataset.
        prompts: what configs are rendered with, where the kind has prompts.
    """

    kind: DatasetKind
    prompts: Prompts


@dataclass(frozen=True)
class Contents:
    """What is known of all rows and decides which files there are.

    Attributes:
        filled: which rows have anything in a column, for each that some config needs.
        places: what the question of each row is asked of, such as its database.
    """

    filled: Mapping[str, np.ndarray]
    places: pa.DictionaryArray

    def shown(self, config: Config, rows: np.ndarray) -> bool:
        """Tell whether a config has something to show of any of some rows."""
        return not config.needs or bool(np.logical_and.reduce([self.filled[name][rows] for name in config.needs]).any())


def shards_of(layouts: list[list[np.ndarray]], contents: Contents, rendering: Rendering) -> list[Shard]:
    """Return the shards of all splits, with the files they are to have.

    Args:
        layouts: the rows of each shard, by split (``layout.lay_out``).
        contents: of all rows.
        rendering: how they become files.
    """
    codes = contents.places.indices.to_numpy(zero_copy_only=False)
    known = [(name, rendering.prompts.facts(name).sha256) for name in contents.places.dictionary.to_pylist()]
    shards = []
    for split, layout in zip(SPLITS, layouts, strict=True):
        shown = {config: [contents.shown(config, rows) for rows in layout] for config in rendering.kind.configs}
        for place, rows in enumerate(layout):
            files = [
                ShardFile(config, split, _path(config, split, mask, place))
                for config, mask in shown.items()
                if mask[place]
            ]
            shards.append(Shard(rows, tuple(files), tuple(sorted(known[code] for code in np.unique(codes[rows])))))
    return shards


def _path(config: Config, split: str, shown: Sequence[bool], place: int) -> str:
    """Return the path of a config's file, numbered among those of its shards that have something to show."""
    return f"{config.name}/{split}-{sum(shown[:place]):05d}-of-{sum(shown):05d}.parquet"


@dataclass(frozen=True)
class RowFacts:
    """What tells rows apart, of all rows: their fingerprints, and ``rows.moments``, which those leave out."""

    prints: np.ndarray
    verified_at: np.ndarray


def made_from(config: Config, shard: Shard, facts: RowFacts, rendering: Rendering) -> str:
    """Return what identifies the content of a shard's file: equal ones have equal bytes.

    Args:
        config: of the file.
        shard: whose file it is.
        facts: of all rows.
        rendering: how they become files.
    """
    told = facts.prints[shard.rows].tobytes() + facts.verified_at[shard.rows].astype("<i8").tobytes()
    content = hashlib.sha256(told).hexdigest()
    parts: list[Any] = [rendering.kind.rendering_version, config.name, str(config.schema), content]
    if rendering.kind.is_prompted and config.name != "default":
        parts += [rendering.prompts.templates.sha256, shard.about]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclass
class ShardWriter:
    """Puts shards into a version: files that the parent has are taken over, others are rendered and written.

    Attributes:
        staged: the version in the making.
        rendering: how rows become files.
        facts: of all rows; fingerprints that are not known yet are filled in on the way.
        prints_known: whether they are.
        former_folder: the parent's folder.
        former: the parent's files by what they were made from.
        reused_bytes: how much was taken over.
    """

    staged: StagedVersion
    rendering: Rendering
    facts: RowFacts
    prints_known: bool = True
    former_folder: str = ""
    former: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    reused_bytes: int = 0

    def take_over(self, shard: Shard) -> list[ShardFile]:
        """Reuse what the parent has of a shard, and return the files that have to be written."""
        return [file for file in shard.files if not self._reused(shard, file)]

    def _reused(self, shard: Shard, file: ShardFile) -> bool:
        if not self.former:
            return False
        source = made_from(file.config, shard, self.facts, self.rendering)
        former = self.former.get(source)
        if former is None:
            return False
        noted = _noted(file, former["rows"], source)
        if not self.staged.reuse(file.path, former, self.former_folder, **noted):
            return False
        self.reused_bytes += former["bytes"]
        return True

    def write(self, shard: Shard, files: list[ShardFile], rows: pa.Table) -> None:
        """Render and write files of one shard; ``rows`` are its canonical rows. Raises StorageError."""
        kind = self.rendering.kind
        if not self.prints_known:
            self.facts.prints[shard.rows] = kind.fingerprints(rows)
        asked = Asked(rows, self.rendering.prompts)
        for file in files:
            rendered = file.config.show(asked)
            noted = _noted(file, rendered.num_rows, made_from(file.config, shard, self.facts, self.rendering))
            self.staged.write(file.path, parquet_bytes(rendered, SHARD_ROWS, kind.repeating), **noted)


def _noted(file: ShardFile, rows: int, source: str) -> dict[str, Any]:
    return {"config": file.config.name, "split": file.split, "rows": rows, "made_from": source}


def write_shards(
    shards: list[Shard], rows: NumberedRows, writer: ShardWriter, report: Report = lambda _d, _t: None
) -> None:
    """Write all shards, reading the rows once and holding only shards that are not complete yet.

    Args:
        shards: all shards of the release.
        rows: the rows of the release, as shards number them.
        writer: where they go.
        report: told how many rows are done.
    """
    needed = [(shard, files) for shard in shards if (files := writer.take_over(shard))]
    total = len(rows)
    done = total - sum(len(shard.rows) for shard, _ in needed)
    report(done, total)
    workers = min(MOST_WRITERS, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[tuple[Future[None], int]] = deque()
        for (shard, files), table in _complete_shards(needed, rows):
            pending.append((pool.submit(writer.write, shard, files, table), table.num_rows))
            # No more than the writers can take: what waits is held in memory.
            while len(pending) > workers:
                done = _finished(pending, done, total, report)
        while pending:
            done = _finished(pending, done, total, report)


def _finished(pending: deque[tuple[Future[None], int]], done: int, total: int, report: Report) -> int:
    future, rows = pending.popleft()
    future.result()
    report(done + rows, total)
    return done + rows


def _complete_shards(
    needed: list[tuple[Shard, list[ShardFile]]], rows: NumberedRows
) -> Iterator[tuple[tuple[Shard, list[ShardFile]], pa.Table]]:
    """Yield each shard with its canonical rows, in their order, as soon as the last of them has been read."""
    if not needed:
        return
    home = np.full(len(rows), -1, np.int32)
    for number, (shard, _) in enumerate(needed):
        home[shard.rows] = number
    missing = [len(shard.rows) for shard, _ in needed]
    parts: dict[int, list[tuple[np.ndarray, pa.Table]]] = {}
    everything = np.arange(len(rows))
    for numbers, batch in rows.batches():
        homes = home[numbers]
        for number in np.unique(homes[homes >= 0]).tolist():
            here = homes == number
            parts.setdefault(number, []).append((everything[numbers][here], batch.filter(pa.array(here))))
            missing[number] -= int(here.sum())
            if not missing[number]:
                yield needed[number], _in_order(parts.pop(number))


def _in_order(parts: list[tuple[np.ndarray, pa.Table]]) -> pa.Table:
    """Return rows by their numbers, which may come in any order."""
    numbers = np.concatenate([one for one, _ in parts])
    rows = pa.concat_tables([part for _, part in parts]).combine_chunks()
    return rows if (np.diff(numbers) > 0).all() else rows.take(pa.array(np.argsort(numbers)))
