"""What two results say about a correction: the verdict, and the evidence a reviewer is shown.

Here stands what follows from results; how they are come by stands in ``running``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from feedback_pipeline.execution.cells import MAX_CELLS, MAX_CHARS, shortened, shown_row
from feedback_pipeline.execution.comparison import compare
from feedback_pipeline.execution.contracts import Pair
from feedback_pipeline.execution.results import Outcome, Result

MAX_ERROR_CHARS = 300

_NO_RESULT: dict[str, tuple[Literal["fail", "not_checked"], str]] = {
    "error": ("fail", "the corrected SQL fails"),
    "refused": ("fail", "the corrected SQL is refused"),
    "timed_out": ("not_checked", "the corrected SQL does not end in time"),
}


@dataclass(frozen=True)
class Evidence:
    """What running a pair has shown.

    Attributes:
        outcome: ``fail`` when the corrected SQL does not run, ``note`` when results are equal, ``not_checked`` when
            there was nothing to run it on or it did not end in time, else ``pass``.
        detail: the same for people.
        results_equal: None where it cannot be told; ``reason`` then says why.
        answer_outcome: how the corrected SQL ended.
        result_digest: identifies the rows of the corrected SQL, None where they say nothing.
        transient: the database could not be used right now, so it is worth trying again.
        corrected, generated: outcome, error, row count and column names of each side.
        only_in_corrected, only_in_generated: a sample of the rows that only one side holds.
        both_empty: results are equal, because neither has rows.
    """

    outcome: Literal["pass", "fail", "note", "not_checked"]
    detail: str
    results_equal: bool | None = None
    reason: str | None = None
    answer_outcome: Outcome = "not_run"
    result_digest: str | None = None
    transient: bool = False
    corrected: dict[str, Any] = field(default_factory=lambda: {"outcome": "not_run"})
    generated: dict[str, Any] | None = None
    only_in_corrected: Sequence[list[Any]] = ()
    only_in_generated: Sequence[list[Any]] = ()
    both_empty: bool = False

    def document(self) -> dict[str, Any]:
        """Return the evidence as JSON; it depends on SQL and data only, never on how long anything took."""
        return {
            "outcome": self.outcome,
            "detail": self.detail,
            "results_equal": self.results_equal,
            "reason": self.reason,
            "corrected": self.corrected,
            "generated": self.generated,
            "only_in_corrected": list(self.only_in_corrected),
            "only_in_generated": list(self.only_in_generated),
            **({"both_empty": True} if self.both_empty else {}),
            **({"transient": True} if self.transient else {}),
        }


def not_checked(pair: Pair, why: str, transient: bool = False) -> Evidence:
    """Return the evidence of a pair that there was nothing to run on."""
    generated = None if pair.generated_sql is None else {"outcome": "not_run"}
    detail = f"unverifiable by execution: {why}"
    return Evidence("not_checked", detail, reason=why, transient=transient, generated=generated)


def judge(
    pair: Pair, answer: Result, generated: Result | None, tables_empty: bool, digest: str | None, sample_rows: int
) -> Evidence:
    """Return what ``answer`` and ``generated``, run on the same data, say about ``pair``.

    Args:
        pair: what was run.
        answer: what the corrected SQL came to.
        generated: what the generated SQL came to, None where there is none.
        tables_empty: every base table that the answer reads holds no rows.
        digest: that of the answer's rows.
        sample_rows: differing rows kept on each side.
    """
    facts = _Facts(answer, generated, digest)
    if answer.outcome in _NO_RESULT:
        outcome, reason = _NO_RESULT[answer.outcome]
        return facts.evidence(outcome, f"{reason}: {_message(answer)}", reason=reason)
    if generated is None:
        return facts.open("there is no generated SQL to compare with")
    if pair.answer_sql == pair.generated_sql:
        return facts.equal("the same SQL as was generated")
    if generated.outcome in ("error", "refused"):
        what = "fails" if generated.outcome == "error" else "is refused"
        return facts.evidence("pass", f"the generated SQL {what}: {_message(generated)}", results_equal=False)
    if generated.outcome == "timed_out":
        return facts.open("the generated SQL does not end in time")
    if "too_large" in (answer.outcome, generated.outcome):
        return _judge_sizes(facts, answer, generated)
    if tables_empty:
        return facts.open("every table that the corrected SQL reads is empty, so nothing can be compared")
    return _judge_rows(facts, pair, answer, generated, sample_rows)


@dataclass(frozen=True)
class _Facts:
    """What goes into the evidence whatever the verdict."""

    answer: Result
    generated: Result | None
    digest: str | None

    def evidence(self, outcome: Literal["pass", "fail", "note", "not_checked"], detail: str, **more: Any) -> Evidence:
        generated = None if self.generated is None else _summary(self.generated)
        return Evidence(
            outcome,
            detail,
            answer_outcome=self.answer.outcome,
            result_digest=self.digest,
            corrected=_summary(self.answer),
            generated=generated,
            **more,
        )

    def open(self, reason: str) -> Evidence:
        """Return the evidence of an answer that runs but cannot be compared."""
        too_large = self.answer.outcome == "too_large"
        how = f"gives too much to be read in full ({_message(self.answer)})" if too_large else "runs"
        return self.evidence("pass", f"the corrected SQL {how}; {reason}", reason=reason)

    def equal(self, why: str = "same result as the generated SQL on this data") -> Evidence:
        """Return the evidence of an answer that gives what the generated SQL gives."""
        both_empty = self.answer.outcome == "ok" and not self.answer.rows
        detail = f"{why}: it improves style, it corrects no error"
        if both_empty:
            detail += " (both give no rows, which is weak evidence)"
        return self.evidence("note", detail, results_equal=True, both_empty=both_empty)


def _judge_sizes(facts: _Facts, answer: Result, generated: Result) -> Evidence:
    """Judge results of which at least one was cut off: ``seen`` is then the least it holds."""
    complete, cut = (answer, generated) if answer.outcome == "ok" else (generated, answer)
    if complete.outcome == "ok" and complete.seen < cut.seen:
        detail = f"results differ: {_counted(complete)} and at least {cut.seen}"
        return facts.evidence("pass", detail, results_equal=False)
    which = "both results are" if complete.outcome != "ok" else "one result is"
    return facts.open(f"{which} too large to compare")


def _judge_rows(facts: _Facts, pair: Pair, answer: Result, generated: Result, sample_rows: int) -> Evidence:
    found = compare(answer.rows, generated.rows, pair.ordered)
    if found.equal:
        return facts.equal()
    if found.equal is None:
        return facts.open("too many columns are alike to tell whether the results are equal")
    if found.only_order:
        return facts.evidence("pass", "results differ: same rows in another order", results_equal=False)
    return facts.evidence(
        "pass",
        f"results differ: {_counted(answer)} in the corrected, {_counted(generated)} in the generated",
        results_equal=False,
        only_in_corrected=[shown_row(answer.rows[position]) for position in found.only_left[:sample_rows]],
        only_in_generated=[shown_row(generated.rows[position]) for position in found.only_right[:sample_rows]],
    )


def _summary(result: Result) -> dict[str, Any]:
    names = [shortened(name, MAX_CHARS) for name in result.columns[:MAX_CELLS]]
    error = {"error": _message(result)} if result.error else {}
    return {"outcome": result.outcome, **error, "rows": result.seen, "columns": names}


def _message(result: Result) -> str:
    return shortened(" ".join((result.error or "").split()), MAX_ERROR_CHARS)


def _counted(result: Result) -> str:
    columns = f"{len(result.columns)} column{'' if len(result.columns) == 1 else 's'}"
    return f"{result.seen} row{'' if result.seen == 1 else 's'} of {columns}"
