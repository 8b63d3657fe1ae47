"""What a value stands for, told by the words beside it: "flight 928" and "after 928" name different things.

A naive Bayes classifier over the word before and the word after, counted in the verified questions of one database.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

NO_VALUE = ""
"""Stands in the place of a label for what looks like a value and is none of the SQL's."""

_WORD_BEFORE = re.compile(r"(\w+|[^\w\s])\s*$")
_WORD_AFTER = re.compile(r"\s*(\w+|[^\w\s])")
_START, _END = "^", "$"
_QUOTES = " \"'“”‘’«»`"
_SMOOTHING = 0.3
_REACH = 40


def words_beside(question: str, start: int, end: int) -> tuple[str, str]:
    """Return the word before and the word after a span, in lower case, past quotes."""
    before = _WORD_BEFORE.search(question[max(0, start - _REACH) : start].rstrip(_QUOTES))
    after = _WORD_AFTER.match(question[end : end + _REACH].lstrip(_QUOTES))
    return before[1].lower() if before else _START, after[1].lower() if after else _END


@dataclass
class SlotModel:
    """How often each word stood before and after values of each label.

    Attributes:
        before: label → word → count.
        after: label → word → count.
        kinds: kind of a value (``known``, ``number`` …) → label → count.
    """

    before: dict[str, Counter[str]] = field(default_factory=dict)
    after: dict[str, Counter[str]] = field(default_factory=dict)
    kinds: dict[str, Counter[str]] = field(default_factory=dict)

    def note(self, kind: str, labels: Mapping[str, float], beside: tuple[str, str]) -> None:
        """Count one value that stood between two words, shared out among the labels it may be of."""
        total = sum(labels.values())
        for label, count in labels.items():
            self.before.setdefault(label, Counter())[beside[0]] += count / total  # type: ignore[assignment]
            self.after.setdefault(label, Counter())[beside[1]] += count / total  # type: ignore[assignment]
            self.kinds.setdefault(kind, Counter())[label] += count / total  # type: ignore[assignment]

    def likeliest(self, priors: Mapping[str, float], beside: tuple[str, str]) -> tuple[list[str], float]:
        """Return the labels of ``priors``, likeliest first, and the probability of the first."""
        if len(priors) == 1:
            return list(priors), 1.0
        scores = {label: math.log(prior + 0.5) + self._log_likelihood(label, beside) for label, prior in priors.items()}
        order = sorted(scores, key=lambda label: (-scores[label], label))
        total = sum(math.exp(score - scores[order[0]]) for score in scores.values())
        return order, 1 / total

    def is_seen(self, label: str, beside: tuple[str, str]) -> bool:
        """Tell whether a value of ``label`` ever stood after or before one of the two words."""
        before, after = self.before.get(label, {}), self.after.get(label, {})
        return (beside[0] != _START and beside[0] in before) or (beside[1] != _END and beside[1] in after)

    def _log_likelihood(self, label: str, beside: tuple[str, str]) -> float:
        likelihood = 0.0
        for counts, word in zip((self.before.get(label), self.after.get(label)), beside, strict=True):
            seen, total = (counts.get(word, 0), counts.total()) if counts else (0, 0)
            likelihood += math.log((seen + _SMOOTHING) / (total + _SMOOTHING * self.vocabulary))
        return likelihood

    @property
    def vocabulary(self) -> int:
        """How many words the smoothing reckons with."""
        return self._vocabulary

    def __post_init__(self) -> None:
        self.settle()

    def settle(self) -> None:
        """Count the vocabulary; to be called when all is noted."""
        self._vocabulary = 1 + len({word for counts in self.before.values() for word in counts})
