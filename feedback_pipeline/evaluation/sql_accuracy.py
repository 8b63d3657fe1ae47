"""Execution accuracy: how often generated SQL gives the rows of the gold SQL, with and without retrieved examples.

Generated SQL runs read-only in the project's own sandbox beside the gold SQL, and its verdict decides: column order is
free, row order counts where the gold has ORDER BY. Questions of which the gold gives nothing to compare with are left
out, by the gold alone, so that both measurements are of the same questions.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feedback_pipeline.curation.sql import SqlError, parse_query, referenced_tables
from feedback_pipeline.evaluation.databases import EvaluationDatabase
from feedback_pipeline.evaluation.generators import Generated, Generator, Task, generate_all
from feedback_pipeline.evaluation.intervals import PairedDifference, Share
from feedback_pipeline.evaluation.questions import EvaluationSet, Question
from feedback_pipeline.evaluation.recall import Progress
from feedback_pipeline.execution import Evidence, Limits, Pair, evidence_of
from feedback_pipeline.retrieval import Example

Retrieve = Callable[[Question, int], list[Example]]

WITH, WITHOUT = "with examples", "without examples"
_SOMETHING = "SELECT 1"
_UNKNOWN = "rows could not be compared"


@dataclass(frozen=True)
class Outcome:
    """What became of one answer: right, or why not. ``right`` is None where rows could not be compared."""

    right: bool | None
    reason: str
    adapted: bool = False
    both_empty: bool = False


@dataclass(frozen=True)
class Arm:
    """One way of answering all questions."""

    name: str
    outcomes: tuple[Outcome, ...]

    @property
    def accuracy(self) -> Share:
        """Share of questions answered with the gold's rows."""
        return Share(sum(one.right is True for one in self.outcomes), len(self.outcomes))

    def as_dict(self) -> dict[str, Any]:
        """Return the arm as plain JSON types."""
        adapted = [one for one in self.outcomes if one.adapted]
        return {
            "name": self.name,
            "accuracy": self.accuracy.as_dict(),
            "not_right": dict(sorted(Counter(one.reason for one in self.outcomes if not one.right).items())),
            "right_without_rows": sum(bool(one.right and one.both_empty) for one in self.outcomes),
            "adapted": {"offered": len(adapted), "right": sum(bool(one.right) for one in adapted)},
        }


@dataclass(frozen=True)
class SqlAccuracy:
    """How often a generator was right, and which questions could not be compared."""

    questions: EvaluationSet
    generator: str
    k: int
    arms: tuple[Arm, ...]
    left_out: Mapping[str, int]

    @property
    def gain(self) -> PairedDifference | None:
        """What the examples brought, on the same questions; None where the generator cannot do without."""
        if len(self.arms) < 2:
            return None
        new, old = ([one.right is True for one in arm.outcomes] for arm in self.arms)
        return PairedDifference.of(new, old)

    def as_dict(self) -> dict[str, Any]:
        """Return everything that tables show as plain JSON types."""
        return {
            "data": self.questions.name,
            "protocol": self.questions.protocol,
            "generator": self.generator,
            "k": self.k,
            "indexed": len(self.questions.indexed),
            "asked": len(self.questions.asked),
            "compared": len(self.arms[0].outcomes),
            "left_out": dict(sorted(self.left_out.items())),
            "interval": "Wilson, 95 %; difference: Newcombe's method 10 for paired data, 95 %",
            "arms": [arm.as_dict() for arm in self.arms],
            "gain": None if self.gain is None else self.gain.as_dict(),
        }


@dataclass(frozen=True)
class Conditions:
    """Where and how SQL is generated and run."""

    databases: Mapping[str, EvaluationDatabase]
    limits: Limits
    dialect: str
    k: int = 3
    concurrency: int = 4


def measure_sql(
    questions: EvaluationSet,
    generator: Generator,
    retrieve: Retrieve,
    conditions: Conditions,
    progress: Progress = lambda *_: None,
) -> SqlAccuracy:
    """Answer the questions asked with and without examples and run what comes.

    Args:
        questions: whose indexed part ``retrieve`` finds examples in.
        generator: answers.
        retrieve: returns up to k examples for a question.
        conditions: databases, limits and numbers.
        progress: told how far each step is.

    Raises:
        GeneratorError: the generator cannot answer anything.

    """
    comparable, left_out = _comparable(questions.asked, conditions, progress)
    arms = []
    for name in (WITH,) if generator.needs_examples else (WITH, WITHOUT):
        tasks = [_task(one, retrieve if name == WITH else None, conditions) for one in comparable]
        answers = generate_all(
            generator,
            tasks,
            concurrency=conditions.concurrency,
            progress=lambda done, total, name=name: progress(f"{questions.name}: generating {name}", done, total),
        )
        arms.append((name, _outcomes(comparable, answers, conditions, progress)))
    kept, undecided = _decided([outcomes for _, outcomes in arms])
    if undecided:
        left_out[_UNKNOWN] += undecided
    return SqlAccuracy(
        questions,
        generator.name,
        conditions.k,
        tuple(Arm(name, tuple(outcomes[n] for n in kept)) for name, outcomes in arms),
        left_out,
    )


def _comparable(
    asked: Sequence[Question], conditions: Conditions, progress: Progress
) -> tuple[list[Question], Counter[str]]:
    """Return the questions whose gold gives rows to compare with, and why the others do not."""
    pairs = [_pair(question, _SOMETHING, conditions) for question in asked]
    evidence = _run(pairs, conditions, lambda done, total: progress("running the gold SQL", done, total))
    reasons = [_why_not(evidence[pair]) for pair in pairs]
    comparable = [question for question, reason in zip(asked, reasons, strict=True) if reason is None]
    return comparable, Counter(reason for reason in reasons if reason is not None)


def _why_not(evidence: Evidence) -> str | None:
    if evidence.outcome == "not_checked":
        return evidence.reason or "the gold SQL could not be run"
    if evidence.answer_outcome != "ok":
        return f"the gold SQL ends as {evidence.answer_outcome}"
    return evidence.reason if evidence.results_equal is None else None


def _task(question: Question, retrieve: Retrieve | None, conditions: Conditions) -> Task:
    database = conditions.databases.get(question.database_id)
    examples = tuple(retrieve(question, conditions.k)) if retrieve else ()
    dialect = database.target.dialect if database else conditions.dialect
    return Task(question.natural_query, dialect, database.described if database else "", examples)


def _outcomes(
    questions: Sequence[Question], answers: Sequence[Generated], conditions: Conditions, progress: Progress
) -> list[Outcome]:
    pairs = [
        None if answer.sql is None else _pair(question, answer.sql, conditions)
        for question, answer in zip(questions, answers, strict=True)
    ]
    wanted = [pair for pair in pairs if pair is not None]
    evidence = _run(wanted, conditions, lambda done, total: progress("running the generated SQL", done, total))
    return [
        _outcome(answer, None if pair is None else evidence[pair]) for answer, pair in zip(answers, pairs, strict=True)
    ]


def _outcome(answer: Generated, evidence: Evidence | None) -> Outcome:
    if evidence is None:
        return Outcome(False, f"no answer: {answer.failure}")
    if evidence.results_equal is not None:
        ended = (evidence.generated or {}).get("outcome", "ok")
        reason = "same rows" if evidence.results_equal else "other rows" if ended == "ok" else f"SQL ends as {ended}"
        return Outcome(evidence.results_equal, reason, answer.adapted, evidence.both_empty)
    if (evidence.generated or {}).get("outcome") == "timed_out":
        return Outcome(False, "SQL ends as timed_out", answer.adapted)
    return Outcome(None, _UNKNOWN, answer.adapted)


def _decided(arms: Sequence[Sequence[Outcome]]) -> tuple[list[int], int]:
    """Return the numbers of the questions that every arm decides, and how many are not among them."""
    total = len(arms[0])
    kept = [n for n in range(total) if all(outcomes[n].right is not None for outcomes in arms)]
    return kept, total - len(kept)


def _pair(question: Question, generated_sql: str, conditions: Conditions) -> Pair:
    database = conditions.databases.get(question.database_id)
    dialect = database.target.dialect if database else conditions.dialect
    try:
        tree = parse_query(question.sql, dialect)
    except SqlError:
        return Pair(question.database_id, question.sql, generated_sql)
    tables = tuple(sorted({table.name for table in referenced_tables(tree)}))
    return Pair(question.database_id, question.sql, generated_sql, tables, tree.args.get("order") is not None)


def _run(pairs: Sequence[Pair], conditions: Conditions, report: Callable[[int, int], None]) -> Mapping[Pair, Evidence]:
    targets = {database_id: database.target for database_id, database in conditions.databases.items()}
    return evidence_of(pairs, targets, conditions.limits, report)
