"""What retrieval is measured against: the cosine of plain sentence embeddings, and of perfectly masked ones."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from feedback_pipeline.evaluation.questions import Question
from feedback_pipeline.evaluation.workspace import Workspace

PLAIN, PERFECT_MASK = "plain", "perfect mask"

_NUMBER_AT_END = re.compile(r"\d+$")


class CosineRanker:
    """Cosine similarity of question vectors, within the database asked about.

    Args:
        name: what it is called in tables.
        workspace: embeds; the same encoder as the product's.
        text_of: what of a question is embedded.

    """

    def __init__(self, name: str, workspace: Workspace, text_of: Callable[[Question], str]):
        self.name = name
        self._workspace = workspace
        self._text_of = text_of
        self._numbers: dict[str, np.ndarray] = {}
        self._vectors: dict[str, np.ndarray] = {}

    def index(self, questions: Sequence[Question]) -> None:
        """Embed the questions, database by database."""
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for number, question in enumerate(questions):
            numbers[question.database_id].append(number)
        vectors = self._workspace.encoder.encode([self._text_of(question) for question in questions])
        self._numbers = {database: np.array(listed) for database, listed in numbers.items()}
        self._vectors = {database: vectors[listed] for database, listed in self._numbers.items()}

    def ask(self, question: Question, k: int) -> list[int]:
        """Return the numbers of the nearest questions; equal ones in the order they were indexed."""
        if question.database_id not in self._vectors:
            return []
        scores = self._vectors[question.database_id] @ self._workspace.encode_one(self._text_of(question))
        best = np.argsort(-scores, kind="stable")[:k]
        return [int(number) for number in self._numbers[question.database_id][best]]


def plain(workspace: Workspace) -> CosineRanker:
    """Return what every peer does: the cosine of the questions as they are."""
    return CosineRanker(PLAIN, workspace, lambda question: question.natural_query)


def perfect_mask(workspace: Workspace) -> CosineRanker:
    """Return the same with every value replaced by the name of its place, as the file gives them."""
    return CosineRanker(PERFECT_MASK, workspace, masked)


def masked(question: Question) -> str:
    """Return the question with the values of its variables replaced by their names, longest values first.

    >>> masked(Question("geo", "rivers in ohio", "SELECT 1", "t", {"state_name0": "ohio"}))
    'rivers in state_name'
    """
    text = question.natural_query
    for name, value in sorted(question.variables.items(), key=lambda item: (-len(item[1]), item)):
        place = _NUMBER_AT_END.sub("", name) or name
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", lambda _, place=place: place, text, flags=re.IGNORECASE)
    return text
