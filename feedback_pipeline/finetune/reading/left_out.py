"""What a version has left out and why, looked up by row and by feedback."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Set
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.finetune.catalog import Release
from feedback_pipeline.finetune.publishing.version import DROPPED_FILE
from feedback_pipeline.finetune.reading.row_places import data_of


@dataclass(frozen=True)
class LeftOut:
    """Reasons by row_id (of the release's own thresholds) and by what rows rest on (of the stages before)."""

    rows: dict[str, str] = field(default_factory=dict)
    feedback: dict[str, str] = field(default_factory=dict)


def left_out(release: Release, row_ids: Set[str], feedback_ids: Set[str]) -> LeftOut:
    """Return why a version is without some rows and feedback; what it says nothing of is not there.

    A version before format 2 says nothing at all. Raises DamagedReleaseError.
    """
    if not release.names_file(DROPPED_FILE):
        return LeftOut()
    table = data_of(f"{release.path}/{DROPPED_FILE}")
    own = pc.is_valid(table["row_id"])
    rows = table.filter(pc.and_(own, pc.is_in(table["row_id"], value_set=_strings(row_ids))))
    earlier = table.filter(pc.invert(own))
    lists = earlier["feedback_ids"].combine_chunks()
    ids = lists.flatten()
    reasons = earlier["reason"].take(pc.list_parent_indices(lists))
    wanted = pc.is_in(ids, value_set=_strings(feedback_ids))
    pairs = zip(ids.filter(wanted).to_pylist(), reasons.filter(wanted).to_pylist(), strict=True)
    return LeftOut(dict(zip(rows["row_id"].to_pylist(), rows["reason"].to_pylist(), strict=True)), dict(pairs))


def _strings(values: Set[str]) -> pa.Array:
    return pa.array(sorted(values), pa.string())
