"""How the numbers of ``feedback-pipeline evaluate`` are shown to people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from feedback_pipeline.cli import output

if TYPE_CHECKING:
    from feedback_pipeline.evaluation.intervals import PairedDifference, Share
    from feedback_pipeline.evaluation.recall import MethodRecall, RecallTable
    from feedback_pipeline.evaluation.sql_accuracy import SqlAccuracy


def show_recall(table: "RecallTable") -> None:
    """Print a table of one evaluation set: a row per method."""
    asked = table.questions.answerable.asked
    left_out = len(table.questions.asked) - len(asked)
    output.say(
        f"{table.questions.name}: {len(table.questions.indexed):,} indexed, {len(asked):,} asked, {left_out:,} left "
        f"out because no indexed question has their template ({table.questions.protocol})"
    )
    first = table.methods[0]
    columns = ["method", *(f"recall at {k}" for k in table.ks), f"at {table.ks[0]}, beside {first.method}", "median ms"]
    output.print_table(columns, (_recall_row(one, first, table.ks) for one in table.methods))
    output.say("")


def _recall_row(one: "MethodRecall", first: "MethodRecall", ks: Sequence[int]) -> list[Any]:
    difference = None if one is first else _difference(one.better_than(first, ks[0]))
    speed = None if one.median_ms is None else f"{one.median_ms:.1f}"
    return [one.method, *(_share(one.recall(k)) for k in ks), difference, speed]


def show_accuracy(result: "SqlAccuracy") -> None:
    """Print how often SQL was right, why it was not, and what was left out."""
    questions = result.questions
    compared = len(result.arms[0].outcomes)
    output.say(
        f"{questions.name}: {result.generator}, {len(questions.indexed):,} indexed, {len(questions.asked):,} asked, "
        f"{compared:,} compared ({questions.protocol})"
    )
    for reason, number in sorted(result.left_out.items()):
        output.say(f"  left out: {number:,}, {reason}")
    output.print_table(
        ["", "execution accuracy", "not right, because"],
        ((arm.name, _share(arm.accuracy), _counts(arm.as_dict()["not_right"])) for arm in result.arms),
    )
    if result.gain is not None:
        output.say(f"what examples bring: {_difference(result.gain)}")
    for arm in result.arms:
        adapted = arm.as_dict()["adapted"]
        if adapted["offered"]:
            output.say(f"adapted SQL answered {adapted['offered']:,} questions, {adapted['right']:,} of them rightly")
    output.say("")


def _share(share: "Share") -> str:
    if share.value is None or share.interval is None:
        return "–"
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%}–{high:.1%})"


def _difference(found: "PairedDifference") -> str | None:
    if found.value is None or found.interval is None:
        return None
    low, high = found.interval
    return f"{found.value * 100:+.1f} points ({low * 100:+.1f} to {high * 100:+.1f})"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {number:,}" for reason, number in counts.items())


def say_intervals() -> None:
    """Say what the intervals are."""
    output.say("95 % intervals: Wilson; differences, of the same questions: Newcombe's method 10 for paired data")
