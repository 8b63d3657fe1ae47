"""Dagster's own history as a place of an erasure: previews of tables and errors in it quote what users wrote."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.tables.stages import WHOLE, StageTables

_RUNS_AT_A_TIME = 200
_PREVIEW_CHARS = 59
"""What a preview shows of a cell before it cuts (``metadata.preview``)."""
_WORTH_SEARCHING = 8
"""Shorter texts are looked for as whole cells only: they stand in any sentence."""
_BUSY_S = 30.0


@dataclass(frozen=True)
class RunHistoryPlace:
    """The runs of one Dagster instance. A run that quotes the subject goes as a whole, with its logs.

    Assets it has materialised lose their history in Dagster, and what is stored of them is reported anew, so that no
    partition seems to be missing. ``current_run`` is the one that does this; it quotes nobody.
    """

    instance: dg.DagsterInstance
    tables: StageTables
    current_run: str | None = None
    name: str = "run_history"

    def find(self, subject: Subject) -> dict[str, Any]:
        """Return how many runs quote the subject."""
        count = sum(1 for _ in self._quoting(subject))
        return {"runs": count} if count else {}

    def remove(self, subject: Subject) -> dict[str, Any]:
        """Delete them, and leave nothing of them in Dagster's SQLite files."""
        assets: set[dg.AssetKey] = set()
        quoting = list(self._quoting(subject))
        for run_id in quoting:
            assets |= _materialised(self.instance, run_id)
        assets |= self._last_quoted(subject)
        if assets:
            self.instance.wipe_assets(sorted(assets))
        for run_id in quoting:
            self.instance.delete_run(run_id)
            self.instance.compute_log_manager.delete_logs(prefix=[run_id])
        for key in sorted(assets):
            self._report_again(key)
        # Always: a run killed right here has deleted its rows and not yet emptied the files.
        return {"runs": len(quoting), "files_rewritten": _compact(self.instance, set(quoting))}

    def leftovers(self, subject: Subject) -> int:
        """Return how many runs, and last states of assets, quote the subject."""
        return sum(1 for _ in self._quoting(subject)) + len(self._last_quoted(subject))

    def _quoting(self, subject: Subject) -> Iterator[str]:
        quotes = Quotes(subject)
        for run_id in _run_ids(self.instance):
            if run_id != self.current_run and any(map(quotes.found_in, self.instance.all_logs(run_id))):
                yield run_id

    def _last_quoted(self, subject: Subject) -> set[dg.AssetKey]:
        """Return the assets whose last materialisation, which Dagster keeps twice, quotes the subject."""
        quotes = Quotes(subject)
        latest = self.instance.get_latest_materialization_events(self.instance.all_asset_keys())
        return {key for key, event in latest.items() if event is not None and quotes.found_in(event)}

    def _report_again(self, key: dg.AssetKey) -> None:
        stage = key.path[-1]
        for partition in self.tables.partitions(stage):
            stored = self.tables.describe(stage, partition)
            if stored is not None:
                self.instance.report_runless_asset_event(
                    dg.AssetMaterialization(
                        key,
                        description="The table as it is stored after an erasure; earlier history was removed.",
                        metadata={"dagster/row_count": stored.rows, "path": stored.path, "digest": stored.digest},
                        partition=None if partition == WHOLE else partition,
                    )
                )


class Quotes:
    """Recognises events that quote a subject: by record ids, and by texts as previews and messages show them."""

    def __init__(self, subject: Subject):
        self._ids = {*subject.feedback_ids, *subject.example_ids, *map(str, subject.interaction_ids)}
        texts = {_on_one_line(text) for text in subject.texts.texts}
        self._cells = {text.replace("|", "\\|")[:_PREVIEW_CHARS] for text in texts}
        self._long = sorted(text for text in texts if len(text) >= _WORTH_SEARCHING)

    def found_in(self, event: dg.EventLogEntry) -> bool:
        """Tell whether an event quotes the subject."""
        return any(self._quoted_in(text) for text in _texts(json.loads(dg.serialize_value(event))))

    def _quoted_in(self, text: str) -> bool:
        cells = {cell.strip() for line in text.split("\n") for cell in _cells_of(line)}
        if not self._cells.isdisjoint(cell.removesuffix("…")[:_PREVIEW_CHARS] for cell in cells):
            return True
        words = {word.strip("'\"[](),.:;") for cell in cells for word in cell.split()}
        numbers_are_ids = "interaction_id" in text
        known = self._ids if numbers_are_ids else {i for i in self._ids if not i.isdigit()}
        return not known.isdisjoint(words) or self._has_long_text(text)

    def _has_long_text(self, text: str) -> bool:
        flat = _on_one_line(text)
        return any(wanted in flat for wanted in self._long)


def _cells_of(line: str) -> list[str]:
    """Return the cells of a line of a Markdown table; any other line is one cell."""
    return line.replace("\\|", "\0").split("|") if line.startswith("|") else [line]


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, Mapping | list):
        for item in document.values() if isinstance(document, Mapping) else document:
            yield from _texts(item)


def _run_ids(instance: dg.DagsterInstance) -> Iterator[str]:
    cursor = None
    while runs := instance.get_runs(limit=_RUNS_AT_A_TIME, cursor=cursor):
        yield from (run.run_id for run in runs)
        cursor = runs[-1].run_id


def _materialised(instance: dg.DagsterInstance, run_id: str) -> set[dg.AssetKey]:
    """Return the assets about which a run said something: materialisations and checks."""
    events = (entry.dagster_event for entry in instance.all_logs(run_id))
    return {event.asset_key for event in events if event is not None and event.asset_key is not None}


def _compact(instance: dg.DagsterInstance, deleted: set[str]) -> int:
    """Rewrite Dagster's SQLite files without what was deleted, remove those of deleted runs; return how many."""
    history = Path(instance.root_directory) / "history"
    files = [path for path in (history.rglob("*.db") if history.is_dir() else ()) if path.is_file()]
    for path in files:
        if path.stem in deleted:
            for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
                file.unlink(missing_ok=True)
        elif path.stem in {"index", "runs"}:
            _vacuum(path)
    return len(files)


def _vacuum(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
