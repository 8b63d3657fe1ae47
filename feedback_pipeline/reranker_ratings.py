"""From the stored interactions to the stage tables of the reranker: brings together ``tables`` and ``reranker``."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from feedback_pipeline.reranker.ratings.effective import Voices
from feedback_pipeline.reranker.ratings.reading import COLUMNS
from feedback_pipeline.reranker.triplets import TripletPolicy, TripletResult, build_triplets, effective_triplets
from feedback_pipeline.schemas import RERANKER_QUERIES, RERANKER_VOICES
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.stages import StageTables, StoredTable

STAGE, DROPPED_STAGE = "reranker_triplets", "reranker_triplets_dropped"

JUDGED, RELEASED, HEARD = "reranker_voices", "reranker_voices_released", "reranker_voices_heard"
"""The voices behind the stored triplets, behind the latest release, and those that the last training has heard."""


@dataclass(frozen=True)
class JudgedRatings:
    """What ratings came to: where the rows lie, counts as JSON types, and effective triplets in all."""

    stored: StoredTable
    counts: dict[str, Any]
    effective: int


def judge_ratings(settings: Settings) -> JudgedRatings:
    """Read all stored interactions and store what their ratings say of passages.

    Raises:
        StorageError: the storage cannot be written; what was stored before stays current.
    """
    tables = StageTables(settings.storage_root)
    result = build_triplets(tables.batches("raw_interactions", list(COLUMNS)), policy_of(settings))
    effective = effective_triplets(result)
    notes = {"counts": result.counts, "effective_triplets": effective}
    tables.write(DROPPED_STAGE, result.dropped)
    tables.write(JUDGED, _voices(result))
    stored = tables.write_batches(STAGE, RERANKER_QUERIES, result.batches(), notes=notes)
    return JudgedRatings(stored, result.counts, effective)


def policy_of(settings: Settings) -> TripletPolicy:
    """Return how the settings want ratings to be read."""
    codes = (code.strip() for code in settings.reranker_retrieval_reasons.split(","))
    return TripletPolicy(
        retrieval_reasons=frozenset(code for code in codes if code),
        max_passage_chars=settings.reranker_max_passage_chars,
        max_user_share=settings.max_user_share,
    )


def stored_voices(settings: Settings, stage: str) -> Voices | None:
    """Return who has made triplets of what: JUDGED, RELEASED or HEARD; None where that is not stored."""
    table = StageTables(settings.storage_root).read_partition(stage)
    return None if table is None else Voices(*(table[name].to_numpy() for name in RERANKER_VOICES.names))


def pass_on_voices(settings: Settings, source: str, target: str) -> None:
    """Note that the voices of one stage are those of the next: a release was made of them, or a training has begun."""
    tables = StageTables(settings.storage_root)
    voices = tables.read_partition(source)
    tables.write(target, RERANKER_VOICES.empty_table() if voices is None else voices)


def _voices(result: TripletResult) -> pa.Table:
    voices = result.voices
    return pa.table([voices.keys, voices.user, voices.cluster], schema=RERANKER_VOICES)
