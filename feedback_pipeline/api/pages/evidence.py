"""What the checks found, in the words of the page: outcomes, flags, and the rows that both queries gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feedback_pipeline.api.pages.texts import counted
from feedback_pipeline.curation.consensus import BURST
from feedback_pipeline.curation.findings import FLAGS
from feedback_pipeline.curation.prompt_safety import (
    HIDDEN_TEXT,
    INSTRUCTION_LIKE,
    PROMPT_MARKUP,
    REMOTE_CONTENT,
    REORDERED_TEXT,
)
from feedback_pipeline.curation.verdicts import CHECK_NAMES, UNFINISHED

MEANING_OF_FLAG = {
    **FLAGS,
    INSTRUCTION_LIKE: "a text gives orders to a model: drops its instructions, changes its role, asks for its prompt",
    PROMPT_MARKUP: "a text holds what frames a prompt: signs of chat templates, a role at the start of a line, tags",
    REMOTE_CONTENT: "a text would make a display fetch something from elsewhere",
    HIDDEN_TEXT: "a text held other text in invisible signs, which are marked on this page",
    REORDERED_TEXT: "a text held signs that show it in another order than it is read, which are marked on this page",
    UNFINISHED: "the corrected SQL did not end in time, so its result is not known",
    BURST: "one user sent unusually many within minutes",
}
"""Every flag, and what it asks a person to look at."""

_CHECKS = {
    "has_answer": "There is an answer",
    "parses": "The SQL can be read",
    "read_only": "It only reads",
    "names_resolve": "Tables and columns exist",
    "execution": "It runs",
    "differs": "It differs from the generated SQL",
    "rewrite": "What it changes",
    "privacy": "Personal data",
    "prompt_safety": "Safe in a prompt",
}
_FAILURES = {
    "has_answer": "No answer",
    "parses": "The SQL cannot be read",
    "read_only": "It does more than read",
    "names_resolve": "Unknown table or column",
    "execution": "It does not run",
    "differs": "The same as the generated SQL",
}
_OUTCOMES = {
    "pass": ("passed", "good"),
    "fail": ("failed", "bad"),
    "note": ("note", "info"),
    "not_checked": ("not checked", "warn"),
}
_SIDES = (("generated", "Generated SQL"), ("corrected", "Corrected SQL"))


@dataclass(frozen=True)
class CheckLine:
    """The outcome of one check: its name in words, the outcome as a word and its tone, and what was found."""

    name: str
    outcome: str
    tone: str
    detail: str | None


@dataclass(frozen=True)
class ResultSide:
    """What running one of both queries came to; ``only_here`` are sampled rows that the other side gives less often."""

    title: str
    summary: str
    columns: tuple[str, ...]
    only_here: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Comparison:
    """What running both queries has shown: ``equal`` is None where it cannot be told.

    ``no_sample`` says why no rows that differ are shown, None where there are some or none can be expected.
    """

    equal: bool | None
    headline: str
    reason: str | None
    sides: tuple[ResultSide, ...]
    no_sample: str | None


def check_lines(checks: Mapping[str, Any] | None) -> list[CheckLine]:
    """Return the outcome of each check that was made, in the order they are made."""
    made = {name: entry for name, entry in (checks or {}).items() if isinstance(entry, Mapping) and "outcome" in entry}
    return [_check_line(name, made[name]) for name in sorted(made, key=_in_order)]


def _check_line(name: str, entry: Mapping[str, Any]) -> CheckLine:
    outcome, tone = _OUTCOMES.get(entry["outcome"], (str(entry["outcome"]), "info"))
    return CheckLine(check_in_words(name), outcome, tone, entry.get("detail"))


def check_in_words(name: str) -> str:
    """Return what a check makes sure of."""
    return _CHECKS.get(name, name.replace("_", " "))


def failure_in_words(name: str) -> str:
    """Return what is wrong with feedback that fails a check."""
    return _FAILURES.get(name, f"not so: {check_in_words(name)}")


def _in_order(check: str) -> tuple[int, str]:
    return (CHECK_NAMES.index(check) if check in CHECK_NAMES else len(CHECK_NAMES), check)


def flag_in_words(flag: str) -> str:
    """Return a flag as it is read: ``filter_removed`` is ``filter removed``."""
    return flag.replace("_", " ")


def meaning_of(flag: str) -> str:
    """Return a sentence that says what a flag asks a person to look at."""
    return MEANING_OF_FLAG.get(flag, "a person should look at it")


def comparison_of(execution: Mapping[str, Any] | None) -> Comparison | None:
    """Return what running both queries has shown; None where nothing was run."""
    if not execution or not any(_was_run(execution, side) for side, _ in _SIDES):
        return None
    sides = tuple(_side(execution, side, title) for side, title in _SIDES if execution.get(side))
    equal = execution.get("results_equal")
    return Comparison(equal, _headline(equal, execution), execution.get("reason"), sides, no_sample(execution))


def _headline(equal: bool | None, execution: Mapping[str, Any]) -> str:
    if equal is None:
        return "Whether the results are the same cannot be told."
    if not equal:
        return "The results differ."
    return "Both give no rows." if execution.get("both_empty") else "Both give the same result on this data."


def no_sample(execution: Mapping[str, Any]) -> str | None:
    """Say why no rows that differ were kept; None where some were, or where the results do not differ in rows."""
    ran = {(execution.get(side) or {}).get("outcome") for side, _ in _SIDES}
    kept = any(execution.get(f"only_in_{side}") for side, _ in _SIDES)
    if execution.get("results_equal") is not False or kept or not ran <= {"ok", "too_large"}:
        return None
    if "too_large" in ran:
        return "There are too many rows to show which of them differ."
    if "another order" in (execution.get("detail") or ""):
        return "Both give the same rows, in another order."
    return "No sample of the rows that differ was kept."


def _was_run(execution: Mapping[str, Any], side: str) -> bool:
    return (execution.get(side) or {}).get("outcome", "not_run") != "not_run"


def _side(execution: Mapping[str, Any], side: str, title: str) -> ResultSide:
    result = execution[side]
    rows: Sequence[Sequence[Any]] = execution.get(f"only_in_{side}") or ()
    return ResultSide(
        title, side_in_short(execution, side), tuple(result.get("columns") or ()), tuple(map(tuple, rows))
    )


def side_in_short(execution: Mapping[str, Any], side: str) -> str:
    """Say what became of running one side: how many rows, or what went wrong."""
    result = execution.get(side) or {}
    outcome = result.get("outcome", "not_run")
    if outcome == "not_run":
        return f"not run: {execution.get('reason') or 'not checked yet'}"
    if outcome != "ok":
        return ": ".join(filter(None, (outcome.replace("_", " "), result.get("error"))))
    return f"{counted(result['rows'], 'row')} of {counted(len(result.get('columns') or ()), 'column')}"


def answer_in_short(execution: Mapping[str, Any]) -> str:
    """Say what became of running an answer."""
    return side_in_short(execution, "corrected")


def cell(value: Any) -> str:
    """Return a value of a result as it is shown: numbers and texts as they are, truth values in SQL's words."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(value)


def worth_in_words(item: Any) -> list[str]:
    """Say why a review of ``item`` (a QueueItem) is worth its time: how often such questions come, how many wait."""
    again = f"asked {counted(item.times_asked, 'more time')}" if item.times_asked else "asked once"
    return [again, f"{item.similar_waiting:,} similar waiting"] if item.similar_waiting else [again]
