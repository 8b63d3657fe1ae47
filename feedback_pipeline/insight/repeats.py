"""Mistakes that were made again although the model had been taught better."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.orm import Session

from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.insight.window import Window, week_numbers
from feedback_pipeline.store.counting import mistakes
from feedback_pipeline.store.counting.scope import Scope

_CLOSES, _ASKS, _OPENS = 0, 1, 2
"""What comes first of what happens at the same moment."""


@dataclass(frozen=True)
class Repeats:
    """Mistakes that corrections report, and those of them that had been taught.

    Attributes:
        mistakes: corrections submitted whose answer differs from the SQL the model had generated, in meaning and, where
            both were run, in their rows.
        same_question: those of them for whose question, on the same database, a correction with the same answer was
            applied at that moment.
        other_wording: those of the rest for which a correction with the same canonical SQL was, of another question.
        repeated: both.
        share: ``repeated / mistakes``; None without mistakes.

    """

    mistakes: int
    same_question: int
    other_wording: int
    repeated: int
    share: float | None


@dataclass(frozen=True)
class WeekRepeats(Repeats):
    """Those submitted in the week that begins on the Monday ``week``."""

    week: date


@dataclass(frozen=True)
class RepeatRate(Repeats):
    """Those submitted in the window, and week by week."""

    weeks: list[WeekRepeats]


def count(session: Session, scope: Scope, window: Window) -> RepeatRate:
    """Count the mistakes reported in ``window``."""
    return compare(mistakes.answers(session, scope), mistakes.periods_of_use(session, scope), window)


def compare(answers: pa.Table, periods: pa.Table, window: Window) -> RepeatRate:
    """Count which of ``answers`` (store's ANSWERS) were submitted as a mistake while an equal one was applied.

    ``periods`` (store's PERIODS) are the times in which answers were applied.
    """
    is_reported = pc.and_kleene(answers["is_mistake"], pc.is_valid(answers["submitted"]))
    reported = np.flatnonzero(_filled(is_reported, default=False))
    at = _filled(answers["submitted"], default=np.nan)[reported]
    applied = _filled(pc.index_in(periods["feedback_id"], answers["feedback_id"]), default=-1)
    spans = _Spans(applied, _filled(periods["since"], np.nan), _filled(periods["until"], np.inf)).known()
    sql, rows = (_answer_codes(answers, name) for name in ("canonical_sql", "result_digest"))
    question = _question_codes(answers)
    same = spans.contain(_both(sql, question), reported, at) | spans.contain(_both(rows, question), reported, at)
    # Equal rows alone say little about another question: many have the answer 0.
    other = spans.contain(sql, reported, at) & ~same
    numbers = np.clip(week_numbers(at), *week_numbers(window.ends))
    begin = int(week_numbers(window.ends)[0])
    weeks = [
        WeekRepeats(**_counts(same, other, numbers == begin + n), week=week) for n, week in enumerate(window.weeks)
    ]
    return RepeatRate(**_counts(same, other, np.ones_like(same)), weeks=weeks)


@dataclass(frozen=True)
class _Spans:
    """Times in which the answers in the rows ``row`` were in use."""

    row: np.ndarray
    since: np.ndarray
    until: np.ndarray

    def known(self) -> "_Spans":
        """Return those whose answer is there."""
        there = self.row >= 0
        return _Spans(self.row[there], self.since[there], self.until[there])

    def contain(self, codes: np.ndarray, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Tell for each of ``rows`` whether any answer with the same code was in use at its moment ``at``.

        ``codes`` has a number for each answer; negative ones are like no other. Goes through all moments once, in
        order, and counts how many are in use.
        """
        code = np.concatenate([codes[self.row], codes[self.row], codes[rows]])
        moment = np.concatenate([self.since, self.until, at])
        step = np.repeat([_OPENS, _CLOSES, _ASKS], [len(self.row), len(self.row), len(rows)])
        order = np.lexsort((step, moment, code))
        change = (step == _OPENS).astype(np.int64) - (step == _CLOSES)
        in_use = np.empty(len(order), dtype=np.int64)
        # Every span that opens closes as well, some at infinity: each code begins with none.
        in_use[order] = np.cumsum(change[order])
        return (in_use[2 * len(self.row) :] > 0) & (codes[rows] >= 0)


def _answer_codes(answers: pa.Table, column: str) -> np.ndarray:
    """Return a number for each answer: the same where database and ``column`` are; -1 where it is null."""
    return _both(_codes(answers[column]), _codes(answers["database_id"]))


def _question_codes(answers: pa.Table) -> np.ndarray:
    """Return a number for each question: the same where its canonical form is."""
    texts = answers["question"].combine_chunks().dictionary_encode()
    canonical = pa.array([canonical_question(text) for text in texts.dictionary.to_pylist()], pa.string())
    return _codes(canonical)[texts.indices.to_numpy(zero_copy_only=False)]


def _codes(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return _filled(values.dictionary_encode().indices, default=-1).astype(np.int64)


def _both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return a number for each pair of numbers; -1 where the first is negative."""
    return np.where(one < 0, -1, one * (other.max(initial=0) + 1) + other)


def _filled(column: pa.ChunkedArray | pa.Array, default: float) -> np.ndarray:
    filled = pc.fill_null(column, pa.scalar(default, column.type))
    is_whole = isinstance(filled, pa.ChunkedArray)
    return np.asarray(filled.to_numpy() if is_whole else filled.to_numpy(zero_copy_only=False))


def _counts(same: np.ndarray, other: np.ndarray, counted: np.ndarray) -> dict[str, Any]:
    groups = (counted, same & counted, other & counted)
    mistakes, same_question, other_wording = (int(np.count_nonzero(group)) for group in groups)
    repeated = same_question + other_wording
    return {
        "mistakes": mistakes,
        "same_question": same_question,
        "other_wording": other_wording,
        "repeated": repeated,
        "share": repeated / mistakes if mistakes else None,
    }
