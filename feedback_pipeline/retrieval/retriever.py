"""Similar corrections for a question. A missing index costs one warning, never an exception in the agent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from feedback_pipeline.masking.adapting import Adaptation, adapt, agreeing
from feedback_pipeline.masking.found import MaskedQuestion
from feedback_pipeline.retrieval.example import Example, RetrievalResult
from feedback_pipeline.retrieval.holdback import hold_back
from feedback_pipeline.retrieval.influence import Asker, InfluenceRecorder, new_retrieval_id
from feedback_pipeline.retrieval.large import DEFAULT_SLICE_BYTES
from feedback_pipeline.retrieval.live_index import LiveIndex, LiveIndexFollower
from feedback_pipeline.settings import Settings, get_settings

if TYPE_CHECKING:
    import numpy as np

    from feedback_pipeline.example_index.query_encoder import QueryEncoder
    from feedback_pipeline.masking.masker import QuestionMasker

MIN_SCORE = 0.5
"""Less alike examples are not given unless asked for. Of questions about other databases 95 in 100 find none so, and of
1,000 examples that are right, two are missed (docs/decisions/0023)."""
MAX_QUESTION_CHARS = 8_000
"""No model reads more of a question; the rest is not looked at."""

_CACHED_QUESTIONS = 4_096


@dataclass(frozen=True)
class _StoredLiteral:
    text: str
    kind: str
    column: str | None
    start: int
    end: int


class Retriever:
    """Finds verified examples similar to a question; follows a moved ``live`` tag without a restart. Thread-safe.

    Args:
        root: the storage root.
        refresh_seconds: how old the knowledge of the live tag may get.
        max_bytes: memory for the examples of all databases together.
        influence: what ``retrieve`` records look-ups with.
        holdback_rate: the share of recorded look-ups that goes without one example.

    """

    def __init__(
        self,
        root: str,
        *,
        refresh_seconds: float = 1.0,
        max_bytes: int = DEFAULT_SLICE_BYTES,
        influence: InfluenceRecorder | None = None,
        holdback_rate: float = 0.0,
    ):
        self._index = LiveIndexFollower(root, refresh_seconds=refresh_seconds, max_bytes=max_bytes)
        self._vectors_of = lru_cache(maxsize=_CACHED_QUESTIONS)(_embed)
        self._influence, self._holdback_rate = influence, holdback_rate

    @classmethod
    def open(
        cls,
        settings: Settings | None = None,
        *,
        refresh_seconds: float = 1.0,
        influence: InfluenceRecorder | None = None,
    ) -> Retriever:
        """Open the index of the configured storage root.

        Args:
            settings: where the index lies; default: the environment's.
            refresh_seconds: how old the knowledge of the live tag may get.
            influence: what ``retrieve`` records look-ups with; without one nothing is recorded or withheld.

        """
        settings = settings or get_settings()
        retriever = cls(
            settings.storage_root,
            refresh_seconds=refresh_seconds,
            max_bytes=settings.slice_bytes,
            influence=influence,
            holdback_rate=settings.holdback_rate,
        )
        retriever._index.live()
        return retriever

    @property
    def index_version(self) -> int | None:
        """Number of the publication answers come from, or None where nothing is published."""
        live = self._index.live()
        return live.publication.version if live else None

    def similar(
        self, natural_query: str, *, database_id: str, k: int = 3, min_score: float | None = None
    ) -> list[Example]:
        """Return up to ``k`` examples of one database, most similar first.

        An unknown database, an empty question or an index that is not there gives an empty list.

        Args:
            natural_query: the question.
            database_id: nothing of another database is ever looked at.
            k: how many examples at most.
            min_score: less alike ones are left out; default MIN_SCORE, -1 leaves nothing out.

        Raises:
            ValueError: ``k`` is less than 1.

        """
        return self._found(natural_query, database_id, k, min_score)[0]

    async def asimilar(
        self, natural_query: str, *, database_id: str, k: int = 3, min_score: float | None = None
    ) -> list[Example]:
        """Do the same as ``similar`` without blocking the event loop."""
        return await asyncio.to_thread(self.similar, natural_query, database_id=database_id, k=k, min_score=min_score)

    def retrieve(
        self,
        natural_query: str,
        *,
        database_id: str,
        k: int = 3,
        min_score: float | None = None,
        interaction_id: int | None = None,
        asker: Asker | None = None,
    ) -> RetrievalResult:
        """Return what ``similar`` finds, and record it behind the answer where there is an ``influence`` recorder.

        Args:
            natural_query: the question.
            database_id: nothing of another database is ever looked at.
            k: how many examples at most.
            min_score: less alike ones are left out.
            interaction_id: what the examples are for; the same one goes without the same example again.
            asker: who asks through an interface; None for somebody trusted.

        Raises:
            ValueError: ``k`` is less than 1.

        """
        found, index_version = self._found(natural_query, database_id, k, min_score)
        if self._influence is None:
            return RetrievalResult(found, index_version=index_version)
        retrieval_id = new_retrieval_id()
        held = hold_back(
            found, rate=self._holdback_rate, seed=str(retrieval_id if interaction_id is None else interaction_id)
        )
        self._influence.note(
            held.given,
            database_id=database_id,
            index_version=index_version,
            interaction_id=interaction_id,
            asker=asker,
            withheld=held.withheld,
            retrieval_id=retrieval_id,
            holdback_rate=self._holdback_rate,
        )
        return RetrievalResult(list(held.given), list(held.withheld), retrieval_id, index_version)

    async def aretrieve(self, natural_query: str, *, database_id: str, **options: Any) -> RetrievalResult:
        """Do the same as ``retrieve`` without blocking the event loop."""
        return await asyncio.to_thread(self.retrieve, natural_query, database_id=database_id, **options)

    def _found(
        self, natural_query: str, database_id: str, k: int, min_score: float | None
    ) -> tuple[list[Example], int | None]:
        """Return the examples, and the publication they come from."""
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        live = self._index.live()
        if live is None:
            return [], None
        return self._examples(live, natural_query, database_id, k, min_score), live.publication.version

    def _examples(
        self, live: LiveIndex, natural_query: str, database_id: str, k: int, min_score: float | None
    ) -> list[Example]:
        natural_query = natural_query[:MAX_QUESTION_CHARS]
        if not natural_query.strip() or (examples := self._index.examples_of(live, database_id)) is None:
            return []
        asked = examples.masker.mask(natural_query)
        vectors = self._vectors_of(live.encoder, natural_query, asked.text)
        best = self._index.search(examples, vectors, k)
        least = MIN_SCORE if min_score is None else min_score
        kept = [(row, score) for row, score in best if score >= least]
        adapted = _adapted([row for row, _ in kept], asked, examples.masker)
        return [
            _example(row, score, rank, adaptation)
            for rank, ((row, score), adaptation) in enumerate(zip(kept, adapted, strict=True), start=1)
        ]


def _embed(encoder: QueryEncoder, question: str, masked: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of a question and of the masked question: one and the same where nothing is masked."""
    if question == masked:
        vector = encoder.encode(question)
        return vector, vector
    return encoder.encode_pair(question, masked)


def _adapted(rows: Sequence[dict[str, Any]], asked: MaskedQuestion, masker: QuestionMasker) -> list[Adaptation | None]:
    """Return what each example's SQL becomes with the values asked for, none where it is in doubt."""
    if not rows or "values" not in rows[0]:
        return [None] * len(rows)
    offers = []
    for row in rows:
        literals = [_StoredLiteral(**value) for value in row["values"]]
        offer = adapt(row["sql"], literals, masker.mask(row["natural_query"]), asked)
        offers.append((offer, row["skeleton_class"]))
    return agreeing(offers)


def _example(row: dict[str, Any], score: float, rank: int, adapted: Adaptation | None) -> Example:
    return Example(
        example_id=row["example_id"],
        feedback_id=row["feedback_ids"][0],
        feedback_ids=tuple(row["feedback_ids"]),
        database_id=row["database_id"],
        natural_query=row["natural_query"],
        sql=row["sql"],
        generated_sql=row["generated_sql"],
        score=score,
        rank=rank,
        source=row["source"],
        masked_query=row.get("masked_query"),
        adapted_sql=adapted.sql if adapted else None,
        substitutions=adapted.substitutions if adapted else (),
    )
