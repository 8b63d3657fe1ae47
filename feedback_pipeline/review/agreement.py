"""How much reviewers agree where several have judged the same feedback."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from feedback_pipeline.store import Event, Store
from feedback_pipeline.store.reviews import Review, reviews_since

_VERDICTS = (Event.VERIFIED.value, Event.REJECTED.value)


@dataclass(frozen=True)
class Agreement:
    """How much reviewers agree, over all feedback that two or more have judged.

    Attributes:
        items: such feedback.
        reviewers: distinct reviewers of it.
        pairs: pairs of reviewers of one feedback, over all of it.
        agreeing: those of them with the same verdict.
        share: ``agreeing / pairs``; None without pairs.
        alpha: Krippendorff's alpha for nominal data (Krippendorff, Content Analysis, chapter 12): 1 is perfect
            agreement, 0 what chance would give. None where it is undefined: nobody has judged the same, or all verdicts
            ever given are the same.

    """

    items: int
    reviewers: int
    pairs: int
    agreeing: int
    share: float | None
    alpha: float | None


def agreement(store: Store, since: datetime, *, databases: frozenset[str] | None = None) -> Agreement:
    """Return how much reviewers agree in what they have said since a moment; of each the latest word counts.

    With ``databases`` only feedback about these is looked at.
    """
    judged = _judged_by_several(reviews_since(store, since, databases=databases))
    counts = np.array([[Counter(words.values())[verdict] for verdict in _VERDICTS] for words in judged.values()])
    counts = counts.reshape(-1, len(_VERDICTS))
    given = counts.sum(axis=1)
    pairs, agreeing = int((given * (given - 1) // 2).sum()), int((counts * (counts - 1) // 2).sum())
    return Agreement(
        items=len(judged),
        reviewers=len({reviewer for words in judged.values() for reviewer in words}),
        pairs=pairs,
        agreeing=agreeing,
        share=agreeing / pairs if pairs else None,
        alpha=_alpha(counts),
    )


def _judged_by_several(reviews: list[Review]) -> dict[str, dict[str, str]]:
    latest: dict[str, dict[str, str]] = defaultdict(dict)
    for review in reviews:
        latest[review.feedback_id][review.reviewer] = review.verdict
    return {feedback_id: words for feedback_id, words in sorted(latest.items()) if len(words) > 1}


def _alpha(counts: np.ndarray) -> float | None:
    if np.count_nonzero(counts.sum(axis=0)) < len(_VERDICTS):
        return None
    import krippendorff

    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
