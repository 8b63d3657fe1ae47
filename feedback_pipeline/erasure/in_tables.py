"""The stored tables between stages, their former contents and what each stage left out."""

from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.tables.stages import StageTables

EXAMPLES = "deduped_feedback"


@dataclass(frozen=True)
class TablesPlace:
    """All stages below one storage root.

    A row that several users stand behind goes as a whole, for its wording may be the erased user's. The next run builds
    it again from the others.
    """

    tables: StageTables
    name: str = "tables"

    def find(self, subject: Subject) -> dict[str, Any]:
        """Return how many rows each stage holds."""
        rows = Counter[str]()
        for stage, _, table in self._partitions():
            rows[stage] += int(of_subject(table, subject).sum())
        return {stage: count for stage, count in sorted(rows.items()) if count}

    def remove(self, subject: Subject) -> dict[str, Any]:
        """Rewrite the partitions that hold rows, and remove former contents everywhere."""
        rows, former = Counter[str](), 0
        for stage, partition, table in self._partitions():
            mask = of_subject(table, subject)
            if mask.any():
                self.tables.rewrite(stage, partition, table.filter(pa.array(~mask)))
                rows[stage] += int(mask.sum())
            else:
                former += self.tables.drop_former(stage, partition)
        return {**dict(sorted(rows.items())), **({"former_contents": former} if former else {})}

    def leftovers(self, subject: Subject) -> int:
        """Return how many rows there are in any data file, current or not."""
        return sum(int(of_subject(self.tables.read_file(path), subject).sum()) for path in self.tables.files())

    def examples(self, feedback_ids: Set[str]) -> tuple[frozenset[str], int]:
        """Return the examples that rest on ``feedback_ids``, and how many of these others stand behind too."""
        table = self.tables.read_partition(EXAMPLES)
        rows = [] if table is None else table.select(["example_id", "feedback_ids"]).to_pylist()
        mine = [row for row in rows if not feedback_ids.isdisjoint(row["feedback_ids"])]
        shared = sum(not feedback_ids >= set(row["feedback_ids"]) for row in mine)
        return frozenset(row["example_id"] for row in mine), shared

    def _partitions(self) -> Iterator[tuple[str, str, pa.Table]]:
        for stage in self.tables.stages():
            for partition in self.tables.partitions(stage):
                table = self.tables.read_partition(stage, partition)
                if table is not None:
                    yield stage, partition, table


def of_subject(table: pa.Table, subject: Subject) -> np.ndarray:
    """Return for each row whether it is the subject's, by those columns it has that name people or records."""
    wanted: dict[str, Set[Any]] = {
        "user_hash": {subject.user_hash},
        "feedback_id": subject.feedback_ids,
        "interaction_id": subject.interaction_ids,
    }
    mask = np.zeros(table.num_rows, bool)
    for column in wanted.keys() & set(table.column_names):
        mask |= np.array([value in wanted[column] for value in table[column].to_pylist()], bool)
    origins: dict[str, Set[str]] = {
        "feedback_ids": subject.feedback_ids,
        "interaction_ids": {str(interaction_id) for interaction_id in subject.interaction_ids},
    }
    for column in origins.keys() & set(table.column_names):
        lists = table[column].to_pylist()
        mask |= np.array([not origins[column].isdisjoint(ids) for ids in lists], bool)
    return mask
