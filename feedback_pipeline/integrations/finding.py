"""What the adapters ask for examples, and what they are answered with."""

from collections.abc import Sequence
from typing import Protocol


class FoundExample(Protocol):
    """One verified correction. An ``adapted_sql`` is read too where there is one."""

    @property
    def example_id(self) -> str:
        """Identity of database, question and SQL."""
        ...

    @property
    def feedback_id(self) -> str | None:
        """The earliest feedback behind it."""
        ...

    @property
    def natural_query(self) -> str:
        """The question."""
        ...

    @property
    def sql(self) -> str:
        """The verified answer."""
        ...

    @property
    def generated_sql(self) -> str | None:
        """What a model once answered wrongly."""
        ...

    @property
    def score(self) -> float:
        """How alike the questions are, at most 1."""
        ...

    @property
    def rank(self) -> int:
        """1 for the best."""
        ...


class Found(Protocol):
    """The examples of one look-up."""

    @property
    def examples(self) -> Sequence[FoundExample]:
        """Best first; none where nothing similar is known."""
        ...

    @property
    def retrieval_id(self) -> str | None:
        """Under which the look-up was recorded."""
        ...

    @property
    def index_version(self) -> int | None:
        """The publication that answered."""
        ...


class FindsExamples(Protocol):
    """A ``Retriever`` or a ``FeedbackClient``. An index or a server that cannot be asked gives no examples."""

    def retrieve(self, natural_query: str, *, database_id: str, k: int = 3, min_score: float | None = None) -> Found:
        """Return up to ``k`` verified answers to similar questions about a database.

        Less alike ones than ``min_score`` are left out; None is the threshold that is right for most.
        """
        ...
