"""What the checks found, as a person reads it: outcomes, and the rows both queries gave where they were run."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape

from feedback_pipeline.cli import output

_SIDES = {"corrected": "answer", "generated": "generated SQL"}
_NOT_RUN = "not_run"
_EQUALITY = {True: "equal", False: "differ", None: "cannot be told"}


def equality_in_short(checks: Mapping[str, Any] | None) -> str | None:
    """Say whether both queries give the same rows; None where nothing was checked."""
    execution = (checks or {}).get("execution")
    return None if execution is None else _EQUALITY[execution.get("results_equal")]


def in_short(execution: Mapping[str, Any], side: str) -> str:
    """Say in a line what became of running one side."""
    result = execution.get(side) or {}
    outcome = result.get("outcome", _NOT_RUN)
    if outcome == _NOT_RUN:
        return f"not run: {execution.get('reason') or 'not checked yet'}"
    if outcome != "ok":
        return ": ".join(filter(None, (outcome.replace("_", " "), result.get("error"))))
    rows = result["rows"]
    return f"ok, {rows:,} row{'' if rows == 1 else 's'}"


def print_checks(checks: Mapping[str, Any]) -> None:
    """Print the outcome of each check, and the evidence of running the SQL."""
    made = sorted((name for name, e in checks.items() if _is_outcome(e)), key=_in_order)
    found = [(name, checks[name]["outcome"], checks[name].get("detail")) for name in made]
    if not found:
        output.say("not checked yet")
        return
    output.print_table(("check", "outcome", "detail"), found)
    execution = checks.get("execution") or {}
    if _was_run(execution, "corrected"):
        _print_execution(execution)


def _in_order(check: str) -> tuple[int, str]:
    """Sort as the checks are made; what only notes something comes last."""
    from feedback_pipeline.curation.verdicts import CHECK_NAMES

    return (CHECK_NAMES.index(check) if check in CHECK_NAMES else len(CHECK_NAMES), check)


def _print_execution(execution: Mapping[str, Any]) -> None:
    lines = {name: in_short(execution, side) for side, name in _SIDES.items() if _was_run(execution, side)}
    equality = _EQUALITY[execution.get("results_equal")]
    reason = execution.get("reason")
    output.say("")
    output.print_fields({**lines, "results": f"{equality}: {reason}" if reason else equality})
    print_difference(execution)


def print_difference(execution: Mapping[str, Any]) -> None:
    """Print the rows that one side gave more often than the other, as far as they were kept."""
    for side, name in _SIDES.items():
        if rows := execution.get(f"only_in_{side}"):
            output.say(f"\nrows that only the {name} gives, or gives more often:")
            output.print_table([escape(output.cell(column)) for column in execution[side]["columns"]], rows)


def _was_run(execution: Mapping[str, Any], side: str) -> bool:
    return (execution.get(side) or {}).get("outcome", _NOT_RUN) != _NOT_RUN


def _is_outcome(entry: Any) -> bool:
    return isinstance(entry, dict) and "outcome" in entry
