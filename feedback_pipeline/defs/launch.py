"""Runs jobs in this process, for the command line and for tests; the daemon starts the same jobs by itself."""

import os
import sys
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus

from feedback_pipeline.defs.exclusive import IN_PROCESS, TRAINING_IN_PROCESS, only_run
from feedback_pipeline.defs.jobs import ONE_AT_A_TIME
from feedback_pipeline.defs.requests import assets_of_a_day
from feedback_pipeline.defs.resources import Feedback, today
from feedback_pipeline.rules import apply_rules
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import any_open_erasure

NIGHTLY, PROMOTE, ERASURE, RETRAIN = "nightly_aggregation", "promote_verified", "erasure", "retrain_reranker"
_LONGEST_WAIT_S, _PAUSE_S = 1_800, 1.0
_LONGEST_COURTESY_S, _HEARTBEAT_S = 600, 120
_UNDER_WAY = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


class UnknownJobError(LookupError):
    """There is no job of that name; the text lists those there are."""


class WritersBusyError(RuntimeError):
    """Another run writes the tables and does not end; the text names it."""


class DagsterHomeError(RuntimeError):
    """Dagster's home cannot be used; the text says why."""


@dataclass(frozen=True)
class JobOutcome:
    """How the runs of one job ended.

    ``failed`` names failed steps, and checks that blocked, with their words; ``seconds`` is the time of each step,
    summed over the days.
    """

    job: str
    days: list[str]
    run_ids: list[str]
    failed: dict[str, str]
    seconds: dict[str, float]

    @property
    def success(self) -> bool:
        """Tell whether all runs succeeded."""
        return not self.failed


def dagster_home(settings: Settings) -> Path:
    """Return Dagster's home: DAGSTER_HOME, else ``dagster`` below the local root, made with our dagster.yaml.

    Raises:
        DagsterHomeError: it cannot be made or written.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or settings.local_root / "dagster").expanduser().resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists():
            ours = files("feedback_pipeline.defs") / "instance" / "dagster.yaml"
            (home / "dagster.yaml").write_text(ours.read_text())
    except OSError as error:
        raise DagsterHomeError(f"cannot write {home}: {error.strerror}; set DAGSTER_HOME to another folder") from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def run_job(name: str, settings: Settings) -> JobOutcome:
    """Bring everything up to date that ``name`` covers: each stale day's tables, then what is built from all days.

    Erasures that wait, or that were interrupted, are carried out first, so that nothing of theirs is used again.

    Raises:
        UnknownJobError: there is no such job.
        DagsterHomeError: Dagster's home cannot be used.
        WritersBusyError: an erasure waits for a run of the daemon that does not end.
    """
    from feedback_pipeline.definitions import defs

    jobs = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    if name not in jobs:
        raise UnknownJobError(f"no job {name!r}; jobs: {', '.join(sorted(jobs))}")
    if name == RETRAIN:
        return _run_training(defs, settings)
    job, results = defs.resolve_job_def(name), []
    with only_run(dagster_home(settings)) as instance:
        results += _erasures(defs, instance, asked_for=name == ERASURE)
        _let_the_daemon_finish(instance)
        if name in (NIGHTLY, PROMOTE):
            # What the rules decide makes days stale, so they come first; the asset of the run then finds nothing to do.
            apply_rules(Feedback().store, settings)
        days = [] if name == ERASURE else _stale_days(name) or [today()]
        for day in days:
            selection = None if day == days[-1] else assets_of_a_day(name)
            results.append(
                job.execute_in_process(
                    instance=instance,
                    partition_key=day,
                    asset_selection=selection,
                    tags=IN_PROCESS,
                    raise_on_error=False,
                )
            )
    return _outcome(name, days, results)


def _run_training(defs: dg.Definitions, settings: Settings) -> JobOutcome:
    """Train the reranker; other runs need not wait for it."""
    with only_run(dagster_home(settings), training=True) as instance:
        job = defs.resolve_job_def(RETRAIN)
        result = job.execute_in_process(instance=instance, tags=TRAINING_IN_PROCESS, raise_on_error=False)
    return _outcome(RETRAIN, [], [result])


def _outcome(name: str, days: list[str], results: list[dg.ExecuteInProcessResult]) -> JobOutcome:
    failed = {step: text for result in results for step, text in _failures(result).items()}
    return JobOutcome(name, days, [result.run_id for result in results], failed, _seconds(results))


def _erasures(
    defs: dg.Definitions, instance: dg.DagsterInstance, *, asked_for: bool
) -> list[dg.ExecuteInProcessResult]:
    if not (asked_for or any_open_erasure(Feedback().store)):
        return []
    wait_for_writers(instance)
    job = defs.resolve_job_def(ERASURE)
    return [job.execute_in_process(instance=instance, tags=IN_PROCESS, raise_on_error=False)]


def wait_for_writers(instance: dg.DagsterInstance, current_run: str | None = None) -> None:
    """Wait for every run that may have read rows before they are erased, and would write them afterwards.

    Any run may: the UI materialises single assets without our tags; only trainings are known to write no rows. A run
    that asks (``current_run``) waits for those
    before it only, so that no two wait for each other; what came after it is found by the next search for remains.

    Raises:
        WritersBusyError: one does not end.
    """
    deadline, told = time.monotonic() + _LONGEST_WAIT_S, ""
    while run_id := _unfinished_before(instance, current_run):
        if time.monotonic() > deadline:
            raise WritersBusyError(f"run {run_id} does not end; end it in Dagster, then erase again")
        if run_id != told:
            print(f"waiting for run {run_id} to end; if it is dead, end it in Dagster", file=sys.stderr)
            told = run_id
        time.sleep(_PAUSE_S)


def _let_the_daemon_finish(instance: dg.DagsterInstance) -> None:
    """Wait while a living daemon has a run that writes the tables: else the older reading might be published last.

    The daemon holds its next one back while ours is under way, by the same tag. Runs that a dead daemon left behind are
    not waited for, and no run longer than ten minutes.
    """
    deadline, told = time.monotonic() + _LONGEST_COURTESY_S, False
    writing = dg.RunsFilter(statuses=_UNDER_WAY, tags=ONE_AT_A_TIME)
    while _daemon_is_alive(instance) and time.monotonic() < deadline:
        under_way = [run for run in instance.get_runs(writing) if not IN_PROCESS.items() <= run.tags.items()]
        if not under_way:
            return
        if not told:
            print(f"waiting for run {under_way[0].run_id} of the daemon to end", file=sys.stderr)
            told = True
        time.sleep(_PAUSE_S)


def _daemon_is_alive(instance: dg.DagsterInstance) -> bool:
    beats = instance.get_daemon_heartbeats().values()
    return any(time.time() - beat.timestamp < _HEARTBEAT_S for beat in beats)


def _unfinished_before(instance: dg.DagsterInstance, current_run: str | None) -> str | None:
    records = instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY), ascending=True)
    ids = [record.dagster_run.run_id for record in records if record.dagster_run.job_name != RETRAIN]
    others = ids[: ids.index(current_run)] if current_run in ids else ids
    return next((run_id for run_id in others if run_id != current_run), None)


def _stale_days(job: str) -> list[str]:
    feedback = Feedback()
    interactions = feedback.stale_interaction_days() if job == NIGHTLY else []
    return sorted({*feedback.stale_feedback_days(), *interactions})


def _failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    failures, explained = {}, set()
    for event in result.all_events:
        if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if evaluation.blocking and not evaluation.passed:
                asset = evaluation.asset_key.to_user_string()
                failures[f"check {evaluation.check_name} of {asset}"] = evaluation.description or "failed"
                explained.add(event.step_key)
        elif event.is_step_failure and event.step_key not in explained:
            error = event.step_failure_data.error
            cause = error.cause if error and error.cause else error
            failures[str(event.step_key)] = (cause.message if cause else event.message or "failed").strip()
    return failures


def _seconds(results: list[dg.ExecuteInProcessResult]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for event in (event for result in results for event in result.all_events):
        if event.event_type is DagsterEventType.STEP_SUCCESS:
            step = str(event.step_key)
            seconds[step] = seconds.get(step, 0.0) + event.step_success_data.duration_ms / 1000
    return seconds
