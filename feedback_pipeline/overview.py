"""What stands where: rows per stage with what was dropped and why, the live index and the latest releases."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import daft
import pyarrow as pa
from daft import col

from feedback_pipeline.example_index.catalog import IndexCatalog, Publication
from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.content.kind import kind_of
from feedback_pipeline.schemas import CHECKED_FEEDBACK, RAW_FEEDBACK
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.stages import StageTables


@dataclass(frozen=True)
class StageOverview:
    """One stage: the rows it holds, what it left out by reason, and a remark."""

    stage: str
    rows: int
    dropped: dict[str, int]
    remark: str = ""


@dataclass(frozen=True)
class Overview:
    """All stages in order, the live publication of the index and the latest release of each dataset."""

    stages: list[StageOverview]
    index: Publication | None
    releases: list[Release]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        return {
            "stages": [asdict(stage) for stage in self.stages],
            "index": asdict(self.index) if self.index else None,
            "releases": [release_as_dict(release) for release in self.releases],
        }


def release_as_dict(release: Release) -> dict[str, Any]:
    """Return what a list of releases says of one."""
    return {
        "name": release.name,
        "version": release.version,
        "path": release.path,
        "digest": release.digest,
        "rows": release.rows,
    }


_NOTHING_LIVE = StageOverview("example_index", 0, {})


def overview(settings: Settings) -> Overview:
    """Read how things stand below the storage root; nothing is computed again."""
    tables, index = StageTables(settings.storage_root), IndexCatalog(settings.storage_root).live()
    releases = latest_releases(settings)
    stages = [
        _raw(tables),
        _checked(tables),
        *(_whole(tables, stage) for stage in ("verified_feedback", "deduped_feedback", "embedded_feedback")),
        _live(index),
        *(_released(release) for release in releases),
    ]
    return Overview(stages, index, releases)


def published(settings: Settings) -> tuple[object, ...]:
    """Return what is published, in a form that changes when, and only when, something new is published."""
    index = IndexCatalog(settings.storage_root).live()
    return (index, *((release.name, release.version) for release in latest_releases(settings)))


def latest_releases(settings: Settings) -> list[Release]:
    """Return the latest release of every dataset."""
    catalog = ReleaseCatalog(settings.storage_root)
    return [release for name in catalog.names() if (release := catalog.latest(name))]


def _raw(tables: StageTables) -> StageOverview:
    events = tables.read("raw_feedback", RAW_FEEDBACK)
    submitted = events.where("event = 'submitted'").count_rows()
    return StageOverview("raw_feedback", submitted, {}, f"corrections, in {events.count_rows()} events")


def _checked(tables: StageTables) -> StageOverview:
    checked = tables.read("checked_feedback", CHECKED_FEEDBACK)
    failed = Counter(checked.where(~col("passed")).select("failed_check").to_pydict()["failed_check"])
    passed = checked.where(col("passed")).count_rows()
    return StageOverview("checked_feedback", passed, _by_count(failed), f"pass{_compared(checked)}")


def _compared(checked: daft.DataFrame) -> str:
    """Say what running both queries has shown, where something was run."""
    if "results_equal" not in checked.column_names:
        # Stored by a version that ran nothing.
        return ""
    verdicts = Counter(checked.where(col("passed")).select("results_equal").to_pydict()["results_equal"])
    if not verdicts[True] + verdicts[False]:
        return ""
    return f"; results of {verdicts[False]} differ from the generated SQL's, of {verdicts[True]} are equal"


def _whole(tables: StageTables, stage: str) -> StageOverview:
    stored = tables.describe(stage)
    dropped = tables.read_partition(f"{stage}_dropped")
    return StageOverview(stage, stored.rows if stored else 0, _reasons(dropped))


def _live(index: Publication | None) -> StageOverview:
    return StageOverview("example_index", index.rows, {}, f"live version {index.version}") if index else _NOTHING_LIVE


def _released(release: Release) -> StageOverview:
    splits = ", ".join(f"{split} {rows}" for split, rows in release.rows.items())
    remark = f"{release.name} v{release.version}: {splits}"
    return StageOverview(kind_of(release.manifest).asset, sum(release.rows.values()), {}, remark)


def _reasons(dropped: pa.Table | None) -> dict[str, int]:
    return _by_count(Counter(dropped["reason"].to_pylist() if dropped is not None else []))


def _by_count(reasons: Counter[str]) -> dict[str, int]:
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))
