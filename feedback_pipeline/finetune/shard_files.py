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

from feedback_pipeline.finetune.configs import CONFIGS, RENDERING_VERSION, Config
from feedback_pipeline.finetune.examples import RowBatches
from feedback_pipeline.finetune.layout import SHARD_ROWS
from feedback_pipeline.finetune.prompts import Prompts
from feedback_pipeline.finetune.rows import SPLITS
from feedback_pipeline.finetune.staging import StagedVersion
from feedback_pipeline.tables.parquet import parquet_bytes

MOST_WRITERS = 4

Report = Callable[[int, int], None]
"""Told (rows done, rows in all)."""


@dataclass(frozen=True)
class ShardFile:
    """One file to be: where it lies below the version, and what it is made from (equal: equal bytes)."""

    config: Config
    split: str
    path: str
    made_from: str


@dataclass(frozen=True)
class Shard:
    """Rows that share a file in each config that has something to show of them.

    Attributes:
        rows: the numbers of its rows, ascending.
        files: one for each such config.
    """

    rows: np.ndarray
    files: tuple[ShardFile, ...]


def shards_of(
    layouts: list[list[np.ndarray]],
    prints: np.ndarray,
    different: np.ndarray,
    databases: pa.DictionaryArray,
    prompts: Prompts,
) -> list[Shard]:
    """Return the shards of all splits, with the files they are to have.

    Args:
        layouts: the rows of each shard, by split (``layout.lay_out``).
        prints: fingerprints of all rows.
        different: which rows have a wrong SQL that was seen to give other results.
        databases: the database of each row.
        prompts: what configs are rendered with.
    """
    codes = databases.indices.to_numpy(zero_copy_only=False)
    known = np.array([prompts.facts(name).sha256 for name in databases.dictionary.to_pylist()])
    shards = []
    for split, layout in zip(SPLITS, layouts, strict=True):
        shown = {
            config: [bool(different[rows].any()) or not config.only_different for rows in layout] for config in CONFIGS
        }
        for place, rows in enumerate(layout):
            content = hashlib.sha256(prints[rows].tobytes()).hexdigest()
            about = sorted(known[np.unique(codes[rows])])
            files = [
                ShardFile(config, split, _path(config, split, mask, place), _made_from(config, content, about, prompts))
                for config, mask in shown.items()
                if mask[place]
            ]
            shards.append(Shard(rows, tuple(files)))
    return shards


def _path(config: Config, split: str, shown: Sequence[bool], place: int) -> str:
    """Return the path of a config's file, numbered among those of its shards that have something to show."""
    return f"{config.name}/{split}-{sum(shown[:place]):05d}-of-{sum(shown):05d}.parquet"


def _made_from(config: Config, content: str, about: list[str], prompts: Prompts) -> str:
    parts: list[Any] = [RENDERING_VERSION, config.name, str(config.schema), content]
    if config.name != "default":
        parts += [prompts.templates.sha256, about]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclass
class ShardWriter:
    """Puts shards into a version: files that the parent has are taken over, others are rendered and written.

    Attributes:
        staged: the version in the making.
        prompts: what configs are rendered with.
        former_folder: the parent's folder.
        former: the parent's files by what they were made from.
        reused_bytes: how much was taken over.
    """

    staged: StagedVersion
    prompts: Prompts
    former_folder: str = ""
    former: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    reused_bytes: int = 0

    def take_over(self, shard: Shard) -> list[ShardFile]:
        """Reuse what the parent has of a shard, and return the files that have to be written."""
        return [file for file in shard.files if not self._reused(file)]

    def _reused(self, file: ShardFile) -> bool:
        former = self.former.get(file.made_from)
        if former is None or not self.staged.reuse(
            file.path, former, self.former_folder, **_noted(file, former["rows"])
        ):
            return False
        self.reused_bytes += former["bytes"]
        return True

    def write(self, files: list[ShardFile], rows: pa.Table) -> None:
        """Render and write files of one shard; ``rows`` are its DATASET_ROWS. Raises StorageError."""
        for file in files:
            rendered = file.config.render(rows, self.prompts)
            content = parquet_bytes(rendered, SHARD_ROWS)
            self.staged.write(file.path, content, **_noted(file, rendered.num_rows))


def _noted(file: ShardFile, rows: int) -> dict[str, Any]:
    return {"config": file.config.name, "split": file.split, "rows": rows, "made_from": file.made_from}


def write_shards(
    shards: list[Shard], rows: RowBatches, kept: np.ndarray, writer: ShardWriter, report: Report = lambda _d, _t: None
) -> None:
    """Write all shards, reading the rows once and holding only shards that are not complete yet.

    Args:
        shards: all shards of the release.
        rows: where their rows come from.
        kept: which of those are in the release; shards number only these.
        writer: where they go.
        report: told how many rows are done.
    """
    needed = [(shard, files) for shard in shards if (files := writer.take_over(shard))]
    total = int(kept.sum())
    done = total - sum(len(shard.rows) for shard, _ in needed)
    report(done, total)
    workers = min(MOST_WRITERS, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[tuple[Future[None], int]] = deque()
        for (_, files), table in _complete_shards(needed, rows, kept):
            pending.append((pool.submit(writer.write, files, table), table.num_rows))
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
    needed: list[tuple[Shard, list[ShardFile]]], rows: RowBatches, kept: np.ndarray
) -> Iterator[tuple[tuple[Shard, list[ShardFile]], pa.Table]]:
    """Yield each shard with its rows (DATASET_ROWS) as soon as the last of them has been read."""
    if not needed:
        return
    home = np.full(int(kept.sum()), -1, np.int32)
    for number, (shard, _) in enumerate(needed):
        home[shard.rows] = number
    missing = [len(shard.rows) for shard, _ in needed]
    parts: dict[int, list[pa.Table]] = {}
    for numbers, batch in kept_batches(rows, kept):
        homes = home[numbers]
        for number in np.unique(homes[homes >= 0]).tolist():
            part = batch.filter(pa.array(homes == number))
            parts.setdefault(number, []).append(part)
            missing[number] -= part.num_rows
            if not missing[number]:
                yield needed[number], pa.concat_tables(parts.pop(number)).combine_chunks()


def kept_batches(rows: RowBatches, kept: np.ndarray) -> Iterator[tuple[slice, pa.Table]]:
    """Yield the kept rows, some at a time, with their numbers among all that are kept."""
    read = numbered = 0
    for batch in rows.batches():
        mask = kept[read : read + batch.num_rows]
        read += batch.num_rows
        some = batch.filter(pa.array(mask))
        yield slice(numbered, numbered + some.num_rows), some
        numbered += some.num_rows
