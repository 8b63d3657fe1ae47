"""Publishing a version: files first, then the manifest, then ``latest``. Equal content publishes nothing.

The examples are read three times, never as a whole: for what decides about them, for their fingerprints, and, where
anything has changed, for the files.
"""

from collections.abc import Callable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog, require_name
from feedback_pipeline.finetune.content.balance import BALANCED_BY, made_of
from feedback_pipeline.finetune.content.examples import Examples, KeptRows, TableExamples
from feedback_pipeline.finetune.content.prompts import Prompts, read_templates
from feedback_pipeline.finetune.content.record import Record
from feedback_pipeline.finetune.content.rows import (
    FINGERPRINT_BYTES,
    SPLITS,
    content_digest,
    fingerprints,
    lists_filled,
    moments,
)
from feedback_pipeline.finetune.content.selection import DROPPED_ROWS, SELECTED_BY, ReleasePolicy, select
from feedback_pipeline.finetune.content.splits import KEYED_BY, Keys, assign_splits, group_numbers, keys_of, split_facts
from feedback_pipeline.finetune.publishing.leakage import Leakage
from feedback_pipeline.finetune.publishing.version import Draft, rendering_of, write_version
from feedback_pipeline.tables.publishing import only_publisher

Report = Callable[[str, int, int], None]
"""Told (what is being done, rows done, rows in all)."""


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
        in_use: feedback that somebody stands behind right now; None: all.
        user_of: the user behind each feedback that has one, as any text that tells users apart.
        dropped_earlier: what earlier stages left out (``selection.dropped_earlier``).
        leakage_of: measures what the splits have in common, before anything is published; None: nobody does.
    """

    prompts: Prompts = field(default_factory=lambda: Prompts(read_templates()))
    in_use: Set[str] | None = None
    user_of: Mapping[str, str] = field(default_factory=dict)
    dropped_earlier: pa.Table = field(default_factory=DROPPED_ROWS.empty_table)
    leakage_of: Callable[[pa.Table, np.ndarray], Leakage] | None = None


def silently(_what: str, _done: int, _total: int) -> None:
    """Report nothing."""


def publish_release(
    catalog: ReleaseCatalog,
    name: str,
    examples: Examples | pa.Table,
    policy: ReleasePolicy,
    surroundings: Surroundings | None = None,
    report: Report = silently,
) -> ReleaseResult:
    """Release ``examples`` (schemas.DEDUPED_FEEDBACK) as the next version of dataset ``name``, if anything changed.

    Raises:
        ValueError: the name has other signs than letters, digits, ``_``, ``-`` and dots inside.
        StorageError: the storage cannot be written; the previous version stays the latest and whole.
        DamagedReleaseError: the manifest or the record of the newest version cannot be read.
        LeakageError: rows in different splits are too much alike.
    """
    require_name(name)
    if isinstance(examples, pa.Table):
        examples = TableExamples(examples)
    with only_publisher(f"{catalog.root}/{name}"):
        parent = catalog.newest(name)
        around = surroundings or Surroundings()
        draft = _draft(catalog, parent, examples, policy, around, report)
        if parent is None and not len(draft.rows):
            return ReleaseResult(None, published=False)
        if parent is not None and (parent.digest, parent.manifest["thresholds"]) == (draft.digest, draft.thresholds):
            # A crash may have come between this version and its pointer.
            catalog.point_latest(name, parent.version)
            return ReleaseResult(parent, published=False)
        if around.leakage_of:
            draft = _without_leakage(draft, examples, around.leakage_of)
        release, reused = write_version(catalog, name, draft, lambda done, total: report("writing", done, total))
        return ReleaseResult(release, published=True, reused_bytes=reused)


def _draft(
    catalog: ReleaseCatalog,
    parent: Release | None,
    examples: Examples,
    policy: ReleasePolicy,
    around: Surroundings,
    report: Report,
) -> Draft:
    """Decide what is in the version and which split each row is in; nothing is written.

    Columns are read when they are needed and let go, so that few of them are in memory at a time.
    """
    looked_at = [name for name in SELECTED_BY if name != "natural_query" or policy.max_question_chars]
    selection = select(examples.columns(looked_at), policy, in_use=around.in_use, user_of=around.user_of)

    def chosen(*names: str) -> pa.Table:
        columns = examples.columns(names)
        return columns if selection.kept.all() else columns.filter(pa.array(selection.kept))

    record = catalog.record_of(parent) if parent else None
    with ThreadPoolExecutor(1) as pool:
        # Arrow counts while Python hashes.
        composition = pool.submit(lambda: made_of(chosen(*BALANCED_BY)))
        keys, splits, facts = _placed(chosen, policy, record)
        made = composition.result()
    rows = KeptRows(examples, selection.kept, made.difficulty)
    # The first version needs them only to be found again: they are made while it is written.
    prints = _all_fingerprints(rows, report) if parent else np.zeros((len(rows), FINGERPRINT_BYTES), np.uint8)
    databases = chosen("database_id")["database_id"].combine_chunks().dictionary_encode()
    prompts = around.prompts.about(databases.dictionary.to_pylist())
    return Draft(
        rows=rows,
        record=Record(keys, splits, np.zeros(len(splits), np.int32), prints),
        verified_at=moments(chosen("verified_at")["verified_at"]),
        different=lists_filled(chosen("wrong_sql")["wrong_sql"]),
        databases=databases,
        prompts=prompts,
        thresholds=asdict(policy),
        digest=content_digest(prints, splits, rendering_of(prompts)) if parent else None,
        dropped=pa.concat_tables([around.dropped_earlier, selection.dropped]),
        parent=parent,
        parent_record=record,
        facts={"splits": facts, "balance": made.balance},
    )


def _placed(
    chosen: Callable[..., pa.Table], policy: ReleasePolicy, record: Record | None
) -> tuple[Keys, np.ndarray, dict[str, Any]]:
    """Return the keys of each row, its split as its place in SPLITS, and what the manifest tells of the splits."""
    keys = keys_of(chosen(*KEYED_BY))
    clusters = chosen("cluster_id")["cluster_id"]
    groups, names = group_numbers(clusters)
    known = record.remembered(keys) if record else np.full(len(groups), -1, np.int8)
    percents = {"validation_percent": policy.validation_percent, "test_percent": policy.test_percent}
    splits = assign_splits(groups, names, known, **percents)
    return keys, splits, split_facts(splits, clusters, asdict(policy))


def _without_leakage(draft: Draft, examples: Examples, leakage_of: Callable[[pa.Table, np.ndarray], Leakage]) -> Draft:
    """Return the draft with what was measured of its splits, which have nothing in common.

    Raises:
        LeakageError: they have.
    """
    columns = examples.columns(["example_id", "database_id", "natural_query", "canonical_question", "sql_skeleton"])
    rows = columns.filter(pa.array(draft.rows.kept)).rename_columns(["row_id", *columns.column_names[1:]])
    leakage = leakage_of(rows, np.array(SPLITS)[draft.record.splits])
    if leakage.is_zero:
        return replace(draft, facts={**draft.facts, "leakage": leakage.as_dict()})
    pair = next(pair for pairs in leakage.pairs.values() for pair in pairs)
    raise LeakageError(
        f"{leakage.exact} rows have their question, {leakage.near} a near-duplicate and {leakage.skeleton} their SQL "
        f"skeleton in another split, such as {pair.row_id} in {pair.split} and {pair.other_row_id} in "
        f"{pair.other_split}; nothing was published. Run 'deduped_feedback' again, which makes their groups anew"
    )


def _all_fingerprints(rows: KeptRows, report: Report) -> np.ndarray:
    """Return the fingerprints of all rows; two batches at a time, since half the work is done outside the lock."""
    total = len(rows)
    prints = np.zeros((total, FINGERPRINT_BYTES), np.uint8)

    def one(numbers: slice, batch: pa.Table) -> None:
        prints[numbers] = fingerprints(batch)
        report("comparing", numbers.stop, total)

    with ThreadPoolExecutor(2) as pool:
        pending = []
        for numbers, batch in rows.batches():
            pending.append(pool.submit(one, numbers, batch))
            if len(pending) > 2:
                pending.pop(0).result()
        for future in pending:
            future.result()
    return prints


__all__ = ["SPLITS", "LeakageError", "ReleasePolicy", "ReleaseResult", "Surroundings", "publish_release"]
