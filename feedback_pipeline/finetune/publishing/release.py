"""Publishing a version: files first, then the manifest, then ``latest``. Equal content publishes nothing.

The examples are read three times, never as a whole: for what decides about them, for their fingerprints, and, where
anything has changed, for the files.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog, require_name
from feedback_pipeline.finetune.content.examples import Examples, KeptRows, TableExamples
from feedback_pipeline.finetune.content.kind import TEXT2SQL, DatasetKind, Policy, kind_of
from feedback_pipeline.finetune.content.prompts import Prompts, read_templates
from feedback_pipeline.finetune.content.record import Record
from feedback_pipeline.finetune.content.rows import FINGERPRINT_BYTES, SPLITS
from feedback_pipeline.finetune.content.selection import DROPPED_ROWS
from feedback_pipeline.finetune.content.splits import Keys, assign_splits, group_numbers, split_facts
from feedback_pipeline.finetune.publishing.leakage import Leakage
from feedback_pipeline.finetune.publishing.row_facts import (
    Columns,
    Report,
    all_fingerprints,
    contents_of,
    moments_of,
    silently,
)
from feedback_pipeline.finetune.publishing.shard_files import Rendering
from feedback_pipeline.finetune.publishing.version import Draft, digest_of, write_version
from feedback_pipeline.tables.publishing import only_publisher


class LeakageError(RuntimeError):
    """Rows in different splits are too much alike; nothing was published. The text names two of them."""


@dataclass(frozen=True)
class ReleaseResult:
    """The latest release, and whether this call published it. ``release`` is None before there are any rows."""

    release: Release | None
    published: bool
    reused_bytes: int = 0


@dataclass(frozen=True)
class Surroundings:
    """What a release needs to know besides its examples.

    Attributes:
        prompts: templates, and what prompts tell of the databases.
        in_use: what rows may rest on right now, such as feedback that somebody stands behind; None: all.
        user_of: the user behind each feedback that has one, as any text that tells users apart.
        dropped_earlier: what earlier stages left out (``selection.dropped_earlier``).
        leakage_of: measures what the splits have in common, before anything is published; None: nobody does.
    """

    prompts: Prompts = field(default_factory=lambda: Prompts(read_templates()))
    in_use: Set[str] | None = None
    user_of: Mapping[str, str] = field(default_factory=dict)
    dropped_earlier: pa.Table = field(default_factory=DROPPED_ROWS.empty_table)
    leakage_of: Callable[[pa.Table, np.ndarray], Leakage] | None = None


def publish_release(
    catalog: ReleaseCatalog,
    name: str,
    examples: Examples | pa.Table,
    policy: Policy,
    surroundings: Surroundings | None = None,
    report: Report = silently,
    kind: DatasetKind = TEXT2SQL,
) -> ReleaseResult:
    """Release ``examples``, what the stage of ``kind`` made, as the next version of ``name``, if anything changed.

    Raises:
        ValueError: the name has other signs than letters, digits, ``_``, ``-`` and dots inside, or is that of a dataset
            of another kind.
        StorageError: the storage cannot be written; the previous version stays the latest and whole.
        DamagedReleaseError: the manifest or the record of the newest version cannot be read.
        LeakageError: rows in different splits are too much alike.
    """
    require_name(name)
    if isinstance(examples, pa.Table):
        examples = TableExamples(examples, kind)
    with only_publisher(f"{catalog.root}/{name}"):
        parent = _parent(catalog, name, kind)
        around = surroundings or Surroundings()
        draft, kept = _draft(catalog, parent, examples, policy, around, report, kind)
        if parent is None and not len(draft.rows):
            return ReleaseResult(None, published=False)
        if parent is not None and (parent.digest, parent.manifest["thresholds"]) == (draft.digest, draft.thresholds):
            # A crash may have come between this version and its pointer.
            catalog.point_latest(name, parent.version)
            return ReleaseResult(parent, published=False)
        if around.leakage_of:
            rows = examples.columns(kind.measured_by).filter(pa.array(kept))
            draft = _without_leakage(draft, rows, around.leakage_of)
        release, reused = write_version(catalog, name, draft, lambda done, total: report("writing", done, total))
        return ReleaseResult(release, published=True, reused_bytes=reused)


def _parent(catalog: ReleaseCatalog, name: str, kind: DatasetKind) -> Release | None:
    parent = catalog.newest(name)
    if parent is not None and kind_of(parent.manifest) is not kind:
        found = kind_of(parent.manifest).name
        raise ValueError(f"dataset {name} is of the kind {found}, not {kind.name}: name another")
    return parent


def _draft(
    catalog: ReleaseCatalog,
    parent: Release | None,
    examples: Examples,
    policy: Policy,
    around: Surroundings,
    report: Report,
    kind: DatasetKind,
) -> tuple[Draft, np.ndarray]:
    """Decide which examples are in the version, as a mask, and which split each row is in; nothing is written.

    Columns are read when they are needed and let go, so that few of them are in memory at a time.
    """
    selection = kind.select(
        examples.columns(kind.selected_by(policy)), policy, in_use=around.in_use, user_of=around.user_of
    )

    def chosen(names: Sequence[str]) -> pa.Table:
        columns = examples.columns(names)
        return columns if selection.kept.all() else columns.filter(pa.array(selection.kept))

    record = catalog.record_of(parent) if parent else None
    with ThreadPoolExecutor(1) as pool:
        # Arrow counts while Python hashes.
        composition = pool.submit(lambda: kind.made_of(chosen(kind.balanced_by)))
        keys, splits, facts = _placed(chosen, policy, record, kind)
        made = composition.result()
    rows = KeptRows(examples, selection.kept, made.difficulty)
    # The first version needs them only to be found again: they are made while it is written.
    unknown = np.zeros((len(rows), FINGERPRINT_BYTES), np.uint8)
    prints = all_fingerprints(rows, kind, report) if parent else unknown
    contents = contents_of(chosen, kind)
    rendering = Rendering(kind, around.prompts.about(contents.places.dictionary.to_pylist()))
    draft = Draft(
        rows=rows,
        record=Record(keys, splits, np.zeros(len(splits), np.int32), prints),
        verified_at=moments_of(chosen, kind, len(rows)),
        contents=contents,
        rendering=rendering,
        thresholds=asdict(policy),
        digest=digest_of(prints, splits, rendering) if parent else None,
        dropped=pa.concat_tables([around.dropped_earlier, selection.dropped]),
        parent=parent,
        parent_record=record,
        facts={"splits": facts, "balance": made.balance},
    )
    return draft, selection.kept


def _placed(
    chosen: Columns, policy: Policy, record: Record | None, kind: DatasetKind
) -> tuple[Keys, np.ndarray, dict[str, Any]]:
    """Return the keys of each row, its split as its place in SPLITS, and what the manifest tells of the splits."""
    keys = kind.keys_of(chosen(kind.keyed_by))
    clusters = chosen(["cluster_id"])["cluster_id"]
    groups, names = group_numbers(clusters)
    known = record.remembered(keys) if record else np.full(len(groups), -1, np.int8)
    percents = {"validation_percent": policy.validation_percent, "test_percent": policy.test_percent}
    splits = assign_splits(groups, names, known, **percents)
    return keys, splits, split_facts(splits, clusters, asdict(policy))


def _without_leakage(draft: Draft, rows: pa.Table, leakage_of: Callable[[pa.Table, np.ndarray], Leakage]) -> Draft:
    """Return the draft with what was measured of its splits, which have nothing in common.

    Raises:
        LeakageError: they have.
    """
    named = rows.rename_columns(["row_id", *draft.kind.measured_by[1:]])
    leakage = leakage_of(named, np.array(SPLITS)[draft.record.splits])
    if leakage.is_zero:
        return replace(draft, facts={**draft.facts, "leakage": leakage.as_dict()})
    pair = next(pair for pairs in leakage.pairs.values() for pair in pairs)
    raise LeakageError(
        f"{leakage.exact} rows have their question, {leakage.near} a near-duplicate and {leakage.skeleton} their SQL "
        f"skeleton in another split, such as {pair.row_id} in {pair.split} and {pair.other_row_id} in "
        f"{pair.other_split}; nothing was published. Run '{draft.kind.stage}' again, which makes their groups anew"
    )


__all__ = ["LeakageError", "ReleaseResult", "Report", "Surroundings", "publish_release", "silently"]
