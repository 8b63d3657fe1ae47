"""Writing one version whose rows and splits are decided: files, record, card, manifest, and last ``latest``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from feedback_pipeline import __version__
from feedback_pipeline.finetune.catalog import PROMPTS_FILE, Release, ReleaseCatalog
from feedback_pipeline.finetune.content import record as records
from feedback_pipeline.finetune.content.examples import NumberedRows
from feedback_pipeline.finetune.content.kind import TEXT2SQL, DatasetKind
from feedback_pipeline.finetune.content.record import Record
from feedback_pipeline.finetune.content.rows import SPLITS, content_digest
from feedback_pipeline.finetune.publishing.card import dataset_card
from feedback_pipeline.finetune.publishing.layout import SHARD_ROWS, lay_out
from feedback_pipeline.finetune.publishing.shard_files import (
    Contents,
    Rendering,
    Report,
    RowFacts,
    Shard,
    ShardWriter,
    made_from,
    shards_of,
    write_shards,
)
from feedback_pipeline.finetune.publishing.staging import StagedVersion, staged
from feedback_pipeline.tables.files import canonical_bytes
from feedback_pipeline.tables.parquet import parquet_bytes

FORMAT = 2

DROPPED_FILE = "dropped.parquet"

MOST_ROWS_HELD = 500_000
"""Where more rows than this would have to be gathered for shards that are laid out over the whole range of keys, all is
laid out anew, in the order of keys, in which a few shards at a time are enough. Fewer where shards are smaller."""


@dataclass(frozen=True)
class Draft:
    """A version as it is going to be.

    Attributes:
        rows: its rows.
        record: keys, splits and fingerprints of the rows, in their order; shards are not known yet.
        verified_at: when each row was (``rows.moments``).
        contents: what else decides which files there are.
        rendering: how rows become files.
        thresholds: the policy, for the manifest.
        digest: ``rows.content_digest`` of the content; None where the fingerprints are to be made on the way.
        dropped: what is not in it, and why (``selection.DROPPED_ROWS``).
        parent: the version before, if any, with its record.
        facts: what else the manifest tells.
        forgotten: keys of rows whose split is not to be remembered when they have left.
    """

    rows: NumberedRows
    record: Record
    verified_at: np.ndarray
    contents: Contents
    rendering: Rendering
    thresholds: dict[str, Any]
    digest: str | None
    dropped: pa.Table
    parent: Release | None = None
    parent_record: Record | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    forgotten: np.ndarray = field(default_factory=lambda: np.array([], np.uint64))

    @property
    def kind(self) -> DatasetKind:
        """What is released."""
        return self.rendering.kind


def digest_of(prints: np.ndarray, splits: np.ndarray, rendering: Rendering) -> str:
    """Return the digest of a release of these rows, ordered by row_id (``rows.content_digest``)."""
    return content_digest(prints, splits, rendering.kind.rendering(FORMAT, rendering.prompts))


def write_version(
    catalog: ReleaseCatalog, name: str, draft: Draft, report: Report = lambda _done, _total: None
) -> tuple[Release, int]:
    """Publish a draft as the next version and let ``latest`` point at it; return it and the bytes that were reused.

    The caller is the only publisher. Raises StorageError: nothing of the version is to be seen then.
    """
    version = catalog.next_version(name)
    shards, numbered = _laid_out(draft)
    with staged(catalog.folder(name, version)) as staging:
        parent_files = draft.parent.manifest["files"] if draft.parent else []
        former = {file["made_from"]: file for file in parent_files if file.get("made_from")}
        folder = draft.parent.path if draft.parent else ""
        writer = ShardWriter(
            staging,
            draft.rendering,
            RowFacts(numbered.prints, draft.verified_at),
            draft.digest is not None,
            folder,
            former if draft.digest else {},
        )
        write_shards(shards, draft.rows, writer, report)
        if not shards:
            _write_nothing(staging, draft.kind)
        staging.write(records.FILE, _remembered(draft, numbered).content())
        staging.write(DROPPED_FILE, parquet_bytes(draft.dropped))
        if draft.kind.is_prompted:
            staging.write(PROMPTS_FILE, canonical_bytes(draft.rendering.prompts.document()))
        manifest = _manifest(name, version, draft, numbered, staging)
        staging.write("README.md", dataset_card(manifest, draft.kind.card).encode())
        staging.publish(manifest)
    catalog.point_latest(name, version)
    published = catalog.look_up(f"{name}@v{version}")
    return published, writer.reused_bytes


def _write_nothing(staging: StagedVersion, kind: DatasetKind) -> None:
    """Write one file without rows, so that what is empty can still be loaded."""
    noted = {"config": "default", "split": "train", "rows": 0, "made_from": ""}
    staging.write("default/train-00000-of-00001.parquet", parquet_bytes(kind.configs[0].schema.empty_table()), **noted)


def _remembered(draft: Draft, numbered: Record) -> Record:
    """Return the record of the version with what has left, but for what is to be forgotten."""
    if draft.parent_record is None:
        return numbered
    everything = numbered.with_departed(draft.parent_record)
    return everything.select(~np.isin(everything.keys.row, draft.forgotten))


def _laid_out(draft: Draft) -> tuple[list[Shard], Record]:
    """Return the shards of a version and its record with their numbers; all anew where too much would be held."""
    layouts = _layouts(draft, draft.parent_record)
    if draft.parent_record is not None and _rows_to_gather(draft, layouts) > _most_rows_held(draft.kind):
        layouts = _layouts(draft, None)
    numbers = np.zeros(len(draft.record.splits), np.int32)
    for layout in layouts:
        for number, rows in enumerate(layout):
            numbers[rows] = number
    shards = shards_of(layouts, draft.contents, draft.rendering)
    record = draft.record
    return shards, Record(record.keys, record.splits, numbers, record.prints)


def _most_rows_held(kind: DatasetKind) -> int:
    return MOST_ROWS_HELD * (kind.shard_rows or SHARD_ROWS) // SHARD_ROWS


def _layouts(draft: Draft, parent: Record | None) -> list[list[np.ndarray]]:
    record, most = draft.record, draft.kind.shard_rows
    of_split = [np.flatnonzero(record.splits == code) for code in range(len(SPLITS))]
    return [lay_out(record.keys.row, record.prints, code, rows, parent, most) for code, rows in enumerate(of_split)]


def _rows_to_gather(draft: Draft, layouts: list[list[np.ndarray]]) -> int:
    """Return the rows of shards that the parent does not have as they are."""
    shards = shards_of(layouts, draft.contents, draft.rendering)
    known = {file.get("made_from") for file in draft.parent.manifest["files"]} if draft.parent else set()
    facts = RowFacts(draft.record.prints, draft.verified_at)
    return sum(
        len(shard.rows)
        for shard in shards
        if any(made_from(file.config, shard, facts, draft.rendering) not in known for file in shard.files)
    )


def _manifest(name: str, version: int, draft: Draft, numbered: Record, staging: StagedVersion) -> dict[str, Any]:
    parent = draft.parent
    configs = _configs(staging, draft.kind)
    return {
        "format": FORMAT,
        **({} if draft.kind is TEXT2SQL else {"kind": draft.kind.name}),
        "name": name,
        "version": version,
        "digest": draft.digest or digest_of(numbered.prints, numbered.splits, draft.rendering),
        "parent": {"version": parent.version, "digest": parent.digest} if parent else None,
        "rows": configs["default"]["rows"],
        "configs": configs,
        "thresholds": draft.thresholds,
        **_templates(draft.rendering),
        "rendering": draft.kind.rendering(FORMAT, draft.rendering.prompts),
        "code_version": __version__,
        "dropped": counted(draft.dropped),
        "changes": changes(draft.parent_record, numbered),
        **draft.facts,
    }


def _templates(rendering: Rendering) -> dict[str, Any]:
    used = rendering.prompts.templates
    return {"templates": {"version": used.version, "sha256": used.sha256}} if rendering.kind.is_prompted else {}


def _configs(staging: StagedVersion, kind: DatasetKind) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for config in kind.configs:
        files = [file for file in staging.files if file.get("config") == config.name]
        present = [split for split in SPLITS if any(file["split"] == split for file in files)]
        rows = {split: sum(file["rows"] for file in files if file["split"] == split) for split in present}
        if rows:
            schema = {field.name: str(field.type) for field in config.schema}
            described[config.name] = {"rows": rows, "schema": schema, "title": config.title}
    return described


def counted(dropped: pa.Table) -> dict[str, int]:
    """Return how many rows and submissions were left out for each reason, as the manifest tells it."""
    groups = dropped.group_by(["stage", "reason"]).aggregate([([], "count_all")]).to_pylist()
    return {f"{one['stage']}: {one['reason']}": one["count_all"] for one in groups}


def changes(before: Record | None, after: Record) -> dict[str, int]:
    """Return how many rows came, left, changed, and moved to another split, from one version to the next."""
    now = after.select(after.present)
    if before is None:
        return {"added": len(now.splits), "removed": 0, "changed": 0, "moved": 0}
    places = before.places_of(now.keys.row)
    there = (places >= 0) & before.present[places]
    old = places[there]
    return {
        "added": int((~there).sum()),
        "removed": int(before.present.sum() - there.sum()),
        "changed": int((before.prints[old] != now.prints[there]).any(axis=1).sum()),
        "moved": int((before.splits[old] != now.splits[there]).sum()),
    }
