"""What the gate says to real ratings, trained on one source and judged on another, and to ratings it must refuse.

The ratings are those of FeedbackQA (``feedbackqa_replay``). Each scenario trains anew; its report is written as it lies
beside a model: Markdown, JSON and plots.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import typer

from benchmarks.feedbackqa_replay import replay
from feedback_pipeline.reranker.candidates.config import TrainingConfig
from feedback_pipeline.reranker.comparison.held_out import JudgedList, judged_lists
from feedback_pipeline.reranker.evaluate import (
    BASE,
    SURFACED,
    base_scores,
    figures_as_surfaced,
    figures_of,
    means,
    scores_of,
)
from feedback_pipeline.reranker.gate import Decision, GatePolicy, Opponent, choose, decide
from feedback_pipeline.reranker.rated_queries import RatedQuery, rated_queries
from feedback_pipeline.reranker.report import TrainingReport
from feedback_pipeline.reranker.scoring import ModelFolder, Scorer, open_scorer
from feedback_pipeline.reranker.train import TrainingData, train_candidates
from feedback_pipeline.reranker.triplets import TripletPolicy, build_triplets

_POLICY = GatePolicy(min_held_out=30, min_users=3)
_VALIDATION_PERCENT = 20
_FLOOD = 10_000
_FEW = 50

Change = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class Scenario:
    """How ratings are changed before they are trained on, and before they are judged by."""

    name: str
    trained: Change
    judged: Change
    spoil: str | None = None
    """The source on which the candidate's scores are turned round."""


def _as_they_are(interactions: pa.Table) -> pa.Table:
    return interactions


def _swapped(interactions: pa.Table) -> pa.Table:
    thumbs = pa.array([-one for one in interactions["feedback"].to_pylist()], pa.int8())
    return interactions.set_column(interactions.schema.get_field_index("feedback"), "feedback", thumbs)


def _of_one_user(interactions: pa.Table) -> pa.Table:
    users = pa.array(["one"] * len(interactions), pa.string())
    return interactions.set_column(interactions.schema.get_field_index("user_hash"), "user_hash", users)


def _flooded(interactions: pa.Table) -> pa.Table:
    """Add ten thousand swapped thumbs of one user."""
    take = np.random.default_rng(1).integers(len(interactions), size=_FLOOD)
    flood = _of_one_user(_swapped(interactions.take(pa.array(take))))
    numbers = pa.array(np.arange(_FLOOD) + 10_000_000)
    numbered = flood.set_column(0, "interaction_id", numbers).cast(interactions.schema)
    return pa.concat_tables([interactions, numbered])


def _few(interactions: pa.Table) -> pa.Table:
    """Keep the first questions that make fifty triplets."""
    rows = build_triplets([interactions], TripletPolicy()).rows
    kept, made = set(), 0
    for row in rows.to_pylist():
        made += len(row["positives"]) * len(row["negatives"])
        kept.add(row["query"])
        if made >= _FEW:
            break
    mask = pa.array([query in kept for query in interactions["natural_query"].to_pylist()])
    return interactions.filter(mask)


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("real", _as_they_are, _as_they_are),
        Scenario("swapped", _swapped, _swapped),
        Scenario("trained-on-swapped", _swapped, _as_they_are),
        Scenario("one-user", _of_one_user, _of_one_user),
        Scenario("flooded", _flooded, _flooded),
        Scenario("fifty-triplets", _few, _few),
        Scenario("worse-on-one-source", _as_they_are, _as_they_are, spoil="UK"),
    )
}


def measure(folder: Path, judged_source: str, names: Sequence[str], candidates: str, output: Path) -> None:
    """Train and judge each scenario, print the gate's words and write its report."""
    interactions = replay(folder)
    for name in names:
        started = time.perf_counter()
        report = _judged(interactions, SCENARIOS[name], judged_source, tuple(candidates.split(",")), output / name)
        for path, content in report.documents().items():
            target = output / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        _print(name, report, time.perf_counter() - started)


def _judged(
    interactions: pa.Table, scenario: Scenario, source: str, candidates: tuple[str, ...], work: Path
) -> TrainingReport:
    trained, judged = _queries(scenario.trained(interactions)), _queries(scenario.judged(interactions))
    users = len(set(scenario.trained(interactions)["user_hash"].to_pylist()))
    known = [one for one in trained if one.source != source]
    held_out = judged if scenario.spoil else [one for one in judged if one.source == source]
    data = TrainingData(*([one for one in known if _is_validation(one) is wanted] for wanted in (False, True)))
    config = TrainingConfig(candidates=candidates)
    made = train_candidates(data, config, work / "work", _told)
    lists = judged_lists(held_out, held_out, made.encode)
    validation = judged_lists(data.validation, data.train, made.encode)
    scorers = {one.name: open_scorer(one.folder) for one in made.trained}
    figures = {name: figures_of(validation, scores_of(scorer, validation)) for name, scorer in scorers.items()}
    name = choose(figures, validation)
    chosen = next(one for one in made.trained if one.name == name)
    return TrainingReport(
        candidate=chosen.name,
        dataset={"name": f"FeedbackQA, {scenario.name}", "version": 1, "digest": "-"},
        decision=_decision(lists, scorers[chosen.name], users, scenario.spoil),
        validation={name: means(one, validation) for name, one in figures.items()},
        parts=ModelFolder.read(chosen.folder).to_json()["parts"],
        training=config.as_dict(),
        data={"train_queries": len(data.train), "validation_queries": len(data.validation), **made.facts},
        curves={part: curve for one in made.trained for part, curve in one.curves.items()},
    )


def _queries(interactions: pa.Table) -> list[RatedQuery]:
    return rated_queries(build_triplets([interactions], TripletPolicy()).rows)


def _is_validation(one: RatedQuery) -> bool:
    return int(hashlib.sha256(one.cluster_id.encode()).hexdigest(), 16) % 100 < _VALIDATION_PERCENT


def _decision(lists: list[JudgedList], scorer: Scorer, users: int, spoil: str | None) -> Decision:
    given = zip(lists, scores_of(scorer, lists), strict=True)
    scores = [-one if listed.query.source == spoil else one for listed, one in given]
    candidate, base = figures_of(lists, scores), figures_of(lists, base_scores(lists))
    surfaced = Opponent(SURFACED, figures_as_surfaced(lists), figures_as_surfaced(lists, scores))
    return decide(lists, candidate, [Opponent(BASE, base, candidate), surfaced], users, _POLICY)


def _told(what: str, done: int, total: int, loss: float | None) -> None:
    if loss is None or done == total:
        typer.echo(f"  {what}: {done} of {total}", err=True)


def _print(name: str, report: TrainingReport, seconds: float) -> None:
    decision = report.decision
    typer.echo(f"\n{name}: {'promoted' if decision.promoted else 'refused'} ({report.candidate}, {seconds:.0f} s)")
    for reason in decision.reasons:
        typer.echo(f"  {reason}")
    for one in (row for row in decision.comparisons if row.name == BASE):
        for metric, value in decision.means.items():
            typer.echo(f"  {metric}: base {one.means[metric]}, candidate {value}")
