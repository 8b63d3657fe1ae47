"""Recall by protocol: how often an example of the right template is among the first k.

The indexed questions of a file become examples of their database; each question asked of which the template is among
them is asked, of its own database only. What is measured is a ranker, whatever is inside.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

from feedback_pipeline.evaluation.intervals import PairedDifference, Share
from feedback_pipeline.evaluation.questions import EvaluationSet, Question

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


class Ranker(Protocol):
    """Something that finds indexed questions similar to one asked."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    def index(self, questions: Sequence[Question]) -> None:
        """Learn the questions that can be found; called once, before any question is asked."""
        ...

    def ask(self, question: Question, k: int) -> list[int]:
        """Return the numbers (from 0, in the order given to ``index``) of up to ``k`` questions, most similar first."""
        ...


@dataclass(frozen=True)
class MethodRecall:
    """What one ranker found.

    Attributes:
        ranks: for each question asked the rank (from 1) of the first example of its template; None where there was
            none among those looked at.
        seconds: for each question asked how long the answer took.
    """

    method: str
    ranks: tuple[int | None, ...]
    seconds: tuple[float, ...]

    def found(self, k: int) -> list[bool]:
        """Tell for each question whether its template is among the first ``k``."""
        return [rank is not None and rank <= k for rank in self.ranks]

    def recall(self, k: int) -> Share:
        """Return the share of questions whose template is among the first ``k``."""
        return Share(sum(self.found(k)), len(self.ranks))

    def better_than(self, other: "MethodRecall", k: int) -> PairedDifference:
        """Compare with another ranker's answers to the same questions."""
        return PairedDifference.of(self.found(k), other.found(k))

    @property
    def median_ms(self) -> float | None:
        """Median time of an answer in milliseconds."""
        return median(self.seconds) * 1_000 if self.seconds else None


@dataclass(frozen=True)
class RecallTable:
    """What several rankers found in one evaluation set; the first is what the others are compared with."""

    questions: EvaluationSet
    ks: tuple[int, ...]
    methods: tuple[MethodRecall, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return everything that tables and plots show as plain JSON types."""
        return {
            "data": self.questions.name,
            "protocol": self.questions.protocol,
            "indexed": len(self.questions.indexed),
            "asked": len(self.questions.answerable.asked),
            "not_answerable": len(self.questions.asked) - len(self.questions.answerable.asked),
            "unusable_rows": self.questions.unusable,
            "interval": "Wilson, 95 %; differences: Newcombe's method 10 for paired data, 95 %",
            "methods": [self._method(one) for one in self.methods],
        }

    def _method(self, one: MethodRecall) -> dict[str, Any]:
        first = self.methods[0]
        return {
            "method": one.method,
            "recall": {str(k): one.recall(k).as_dict() for k in self.ks},
            "median_ms": one.median_ms,
            **({f"better_than_{first.method}": self._against_first(one)} if one is not first else {}),
        }

    def _against_first(self, one: MethodRecall) -> dict[str, Any]:
        return {str(k): one.better_than(self.methods[0], k).as_dict() for k in self.ks}


def measure(
    questions: EvaluationSet, rankers: Sequence[Ranker], ks: Sequence[int], progress: Progress = lambda *_: None
) -> RecallTable:
    """Index and ask ``questions`` with each ranker, one after the other.

    Args:
        questions: what is indexed and asked; questions whose template is not indexed are left out.
        rankers: what is measured.
        ks: at which k recall is wanted, each at least 1.
        progress: told after each question.

    """
    ks = tuple(sorted(set(ks)))
    return RecallTable(questions, ks, tuple(_measured(one, questions, ks[-1], progress) for one in rankers))


def _measured(ranker: Ranker, questions: EvaluationSet, k: int, progress: Progress) -> MethodRecall:
    asked = questions.answerable.asked
    progress(f"{questions.name}: indexing for {ranker.name}", 0, len(asked))
    ranker.index(questions.indexed)
    ranks, seconds = [], []
    for done, question in enumerate(asked, start=1):
        began = time.perf_counter()
        found = ranker.ask(question, k)
        seconds.append(time.perf_counter() - began)
        ranks.append(_rank(question, [questions.indexed[number] for number in found]))
        progress(f"{questions.name}: asking {ranker.name}", done, len(asked))
    return MethodRecall(ranker.name, tuple(ranks), tuple(seconds))


def _rank(question: Question, found: Sequence[Question]) -> int | None:
    wanted = question.database_id, question.template_id
    ranks = (rank for rank, one in enumerate(found, start=1) if (one.database_id, one.template_id) == wanted)
    return next(ranks, None)
