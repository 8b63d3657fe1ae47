"""A whole pipeline below a folder of the test: settings from the environment, jobs run in this process."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import func, select, update

from feedback_pipeline.checking import check_and_record, checker_from
from feedback_pipeline.defs.launch import PROMOTE, JobOutcome, run_job
from feedback_pipeline.defs.resources import Feedback, _opened
from feedback_pipeline.example_index.catalog import Publication
from feedback_pipeline.finetune.catalog import Release
from feedback_pipeline.intake.samples import load_samples
from feedback_pipeline.retrieval import Example, Retriever
from feedback_pipeline.settings import Settings, get_settings
from feedback_pipeline.store import (
    Store,
    Submission,
    decide,
    get_feedback,
    list_feedback,
    stored_submissions,
    submit_many,
)
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow
from feedback_pipeline.tables.stages import StageTables

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)


@dataclass(frozen=True)
class Pipeline:
    """Everything below one storage root."""

    root: Path

    @property
    def feedback(self) -> Feedback:
        return Feedback()

    @property
    def settings(self) -> Settings:
        return get_settings()

    @property
    def store(self) -> Store:
        return self.feedback.store

    @property
    def tables(self) -> StageTables:
        return self.feedback.tables

    def run(self, job: str = PROMOTE) -> JobOutcome:
        """Run a job, which must succeed."""
        outcome = run_job(job, self.settings)
        assert outcome.success, outcome.failed
        return outcome

    def live(self) -> Publication:
        publication = self.feedback.index.live()
        assert publication is not None
        return publication

    def latest(self) -> Release:
        release = self.feedback.releases.latest("text2sql")
        assert release is not None
        return release

    def similar(self, question: str, database_id: str = "geo") -> list[Example]:
        return Retriever.open(self.settings).similar(question, database_id=database_id, min_score=-1)

    def submit(self, *items: Submission, day: date = TODAY) -> list[str]:
        """Submit ``items`` as if on ``day``; return their ids."""
        ids = [result.feedback_id for result in submit_many(self.store, items)]
        self.move(ids, day)
        return ids

    def decide(self, ids: list[str], event: str, day: date = TODAY) -> None:
        """Let ``event`` happen on ``day``, after the automatic checks."""
        check_and_record(self.store, stored_submissions(self.store, ids), checker_from(self.store, self.settings))
        outcomes = decide(self.store, ids, event, actor="ada", reason="test")
        assert {decision.outcome for decision in outcomes} == {"done"}, outcomes
        self.move(ids, day, event)

    def move(self, ids: list[str], day: date, event: str = "submitted") -> None:
        at = datetime.combine(day, time(12), UTC)
        matching = FeedbackEventRow.feedback_id.in_(ids), FeedbackEventRow.event == event
        with self.store.begin() as session:
            session.execute(update(FeedbackEventRow).where(*matching).values(at=at))

    def force_status(self, feedback_id: str, status: str) -> None:
        """Change a status behind the back of the events."""
        with self.store.begin() as session:
            session.execute(update(FeedbackRow).where(FeedbackRow.feedback_id == feedback_id).values(status=status))

    def status(self, feedback_id: str) -> str:
        return get_feedback(self.store, feedback_id)["status"]

    def events(self, feedback_id: str) -> list[str]:
        return [event["event"] for event in get_feedback(self.store, feedback_id)["history"]]

    def event_count(self) -> int:
        with self.store.read() as session:
            return session.scalar(select(func.count()).select_from(FeedbackEventRow)) or 0

    def ids(self) -> dict[str, str]:
        """Return the feedback ids by client key."""
        return {row["client_key"]: row["feedback_id"] for row in list_feedback(self.store)}

    def stage(self, name: str, partition: str = "all") -> pa.Table:
        table = self.tables.read_partition(name, partition)
        assert table is not None
        return table

    def dropped(self, stage: str) -> dict[str, str]:
        """Return the reason for each feedback id that a stage left out."""
        table = self.stage(f"{stage}_dropped")
        return dict(zip(table["feedback_id"].to_pylist(), table["reason"].to_pylist(), strict=True))

    def digests(self) -> dict[str, str]:
        """Return the digest of every stored table, by stage and partition."""
        stages = sorted(path.name for path in (self.root / "tables").iterdir())
        stored = {f"{s}/{p}": self.tables.describe(s, p) for s in stages for p in self.tables.partitions(s)}
        return {name: table.digest for name, table in stored.items() if table}


def correction(number: int | str, sql: str | None = None, **changes: str | int) -> Submission:
    """Return a correction of the database ``geo`` with a question of its own."""
    fields = {
        "database_id": "geo",
        "natural_query": f"how many rivers cross state number {number}",
        "generated_sql": "SELECT 1",
        "corrected_sql": sql or f"SELECT count(*) FROM river WHERE state = '{number}'",
        "user_id": "ann",
        "client_key": f"key-{number}",
        "source": "import",
    }
    return Submission(**{**fields, **changes})


@contextmanager
def pipeline_at(root: Path, encoders: Path) -> Iterator[Pipeline]:
    """Let the environment mean ``root``; the query encoder is linked from ``encoders``: exporting takes seconds."""
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "encoders").exists():
        (root / "encoders").symlink_to(encoders)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _environment(root).items():
            patch.setenv(name, value)
        patch.chdir(root)
        get_settings.cache_clear()
        pipeline = Pipeline(root)
        yield pipeline
        pipeline.store.close()
    _opened.cache_clear()
    get_settings.cache_clear()


def _environment(root: Path) -> dict[str, str]:
    return {
        "FEEDBACK_STORAGE_ROOT": str(root),
        "FEEDBACK_HASH_KEY": "secret",
        "FEEDBACK_PARTITIONS_START": (TODAY - timedelta(days=40)).isoformat(),
        "DAGSTER_HOME": dagster_home_of_the_session(),
    }


@lru_cache(maxsize=1)
def dagster_home_of_the_session() -> str:
    """Make one home for all tests, in memory where that is possible: Dagster commits about 300 times a run."""
    memory = Path("/dev/shm")
    home = tempfile.mkdtemp(prefix="feedback-dagster-", dir=memory if memory.is_dir() else None)
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


def run_samples(root: Path, encoders: Path) -> None:
    """Load the sample feedback below ``root`` and run the nightly job."""
    with pipeline_at(root, encoders) as pipeline:
        load_samples(pipeline.store, pipeline.settings)
        pipeline.run("nightly_aggregation")


def copy_root(source: Path, target: Path) -> Path:
    """Copy a storage root; the encoders stay links."""
    return Path(shutil.copytree(source, target, symlinks=True))
