"""``feedback-pipeline run``: everything up to date, and what came of it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.boundary import UserError
from feedback_pipeline.cli.session import opened

if TYPE_CHECKING:
    from feedback_pipeline.defs.launch import JobOutcome
    from feedback_pipeline.overview import Overview
    from feedback_pipeline.retrieval import Example
    from feedback_pipeline.settings import Settings
    from feedback_pipeline.store import Store


_TRAINING = "retrain_reranker"


class RunFailedError(UserError):
    """A step failed or a blocking check stopped the run."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("run")(run)


def run(
    sample: Annotated[bool, typer.Option("--sample", help="First load the committed sample feedback.")] = False,
    job: Annotated[
        str, typer.Option("--job", help="Or promote_verified, erasure, retrain_reranker.")
    ] = "nightly_aggregation",
    as_json: output.JsonOption = False,
) -> None:
    """Run the pipeline once in this process: raw → checked → verified → deduped → embedded → index and dataset."""
    with opened() as (settings, store):
        from feedback_pipeline.overview import overview, published

        before, example_before = published(settings), _example(settings) if sample else None
        if sample:
            _load_sample(store, settings)
        outcome = _run(job, settings)
        after, example_after = overview(settings), _example(settings) if sample else None
        changed = published(settings) != before
    if as_json:
        output.print_json(_document(outcome, after, changed) | (_trained(settings) if job == _TRAINING else {}))
        return
    if job == _TRAINING:
        _print_training(settings)
        return
    _print_stages(after)
    _print_published(after, changed)
    if sample:
        _print_examples(example_before, example_after)


def _load_sample(store: "Store", settings: "Settings") -> None:
    from feedback_pipeline.intake.samples import REVIEWER, load_samples

    report = load_samples(store, settings)
    new, known = report.corrections.stored, report.corrections.already_known
    text = (
        f"sample: {new} corrections stored, {known} known already; {report.corrections.verified} verified by {REVIEWER}"
    )
    typer.echo(text, err=True)


def _run(job: str, settings: "Settings") -> "JobOutcome":
    takes = (
        "training takes minutes" if job == _TRAINING else "the first run loads the embedding model: about half a minute"
    )
    typer.echo(f"running {job} ({takes})", err=True)
    from feedback_pipeline.defs.launch import run_job

    outcome = run_job(job, settings)
    if not outcome.success:
        steps = "; ".join(f"{step}: {text.splitlines()[0]}" for step, text in outcome.failed.items())
        raise RunFailedError(f"{steps}. What was live before is still live; mend the cause and run again.")
    return outcome


def _example(settings: "Settings") -> "Example | None":
    from feedback_pipeline.example_index.catalog import IndexCatalog
    from feedback_pipeline.intake.samples import DATABASE_ID, QUESTION
    from feedback_pipeline.retrieval import Retriever

    if IndexCatalog(settings.storage_root).live() is None:
        return None
    found = Retriever.open(settings).similar(QUESTION, database_id=DATABASE_ID, k=1)
    return found[0] if found else None


def _document(outcome: "JobOutcome", after: "Overview", changed: bool) -> dict[str, Any]:
    return {
        "job": outcome.job,
        "days": outcome.days,
        "run_ids": outcome.run_ids,
        "changed": changed,
        "seconds": outcome.seconds,
        **after.as_dict(),
    }


def _print_training(settings: "Settings") -> None:
    model = _trained(settings)["model"]
    output.say(f"model    {model['name']}, {model['state']}, trained on {model['dataset']}  {model['path']}")
    for reason in model["reasons"]:
        output.say(f"         {reason}")


def _trained(settings: "Settings") -> dict[str, Any]:
    from feedback_pipeline.reranker.registry import ModelRegistry

    registry = ModelRegistry(settings.storage_root)
    model = registry.look_up("latest")
    told = {"name": model.name, "state": registry.state_of(model), "candidate": model.candidate, "path": model.path}
    return {"model": {**told, "dataset": model.dataset, "metrics": model.metrics, "reasons": model.reasons}}


def _print_stages(state: "Overview") -> None:
    rows = []
    for stage in state.stages:
        dropped = ", ".join(f"{count} {reason}" for reason, count in stage.dropped.items())
        rows.append((stage.stage, f"{stage.rows:,}", dropped, stage.remark))
    output.print_table(["stage", "rows", "left out", "remark"], rows)


def _print_published(after: "Overview", changed: bool) -> None:
    output.say("")
    if not changed:
        output.say("Nothing has changed: same content, same digests, no new version.")
    for release in after.releases:
        output.say(f"dataset  {release.name} v{release.version}  {release.path}")
        output.say(f"         digest {release.digest}")
    if after.index:
        output.say(f"index    live version {after.index.version}, {after.index.rows:,} examples")
    else:
        output.say("index    nothing published yet: no verified corrections")


def _print_examples(before: "Example | None", after: "Example | None") -> None:
    from feedback_pipeline.intake.samples import QUESTION

    output.say("")
    output.say(f"What an agent gets for “{QUESTION}”")
    output.say(f"  before  {_told(before)}")
    output.say(f"  after   {_told(after)}")


def _told(example: "Example | None") -> str:
    if example is None:
        return "no example"
    return f"“{example.natural_query}” ({example.score:.2f})\n          {' '.join(example.sql.split())}"
