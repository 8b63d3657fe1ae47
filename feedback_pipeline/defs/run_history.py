"""Dagster's own history as a place of an erasure: previews of tables and errors in it quote what users wrote."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from feedback_pipeline.defs.quotes import OWN_NAMES, Quotes
from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.tables.stages import WHOLE, StageTables

_RUNS_AT_A_TIME = 200
_BUSY_S = 30.0


@dataclass
class _Searched:
    """The finished runs that did not hold what was looked for last: an erasure searches several times."""

    wanted: frozenset[str] = frozenset()
    clean: set[str] = field(default_factory=set)

    def without(self, wanted: frozenset[str]) -> set[str]:
        """Return, to be added to, the runs known to hold nothing of ``wanted``."""
        if not wanted <= self.wanted:
            self.clean.clear()
        self.wanted = wanted
        return self.clean


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
    _searched: _Searched = field(default_factory=_Searched, compare=False, repr=False)

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
        quotes = self._quotes(subject)
        clean = self._searched.without(quotes.wanted)
        for run in _runs(self.instance):
            if run.run_id in clean or run.run_id == self.current_run:
                continue
            if any(map(quotes.found_in, self.instance.all_logs(run.run_id))):
                yield run.run_id
            elif run.is_finished:
                clean.add(run.run_id)

    def _quotes(self, subject: Subject) -> Quotes:
        assets = (part for key in self.instance.all_asset_keys() for part in key.path)
        return Quotes(subject, OWN_NAMES | set(assets))

    def _last_quoted(self, subject: Subject) -> set[dg.AssetKey]:
        """Return the assets whose last materialisation, which Dagster keeps twice, quotes the subject.

        What was reported anew belongs to no run and quotes nobody.
        """
        quotes = self._quotes(subject)
        latest = self.instance.get_latest_materialization_events(self.instance.all_asset_keys())
        return {key for key, event in latest.items() if event is not None and event.run_id and quotes.found_in(event)}

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


def _runs(instance: dg.DagsterInstance) -> Iterator[dg.DagsterRun]:
    cursor = None
    while runs := instance.get_runs(limit=_RUNS_AT_A_TIME, cursor=cursor):
        yield from runs
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
