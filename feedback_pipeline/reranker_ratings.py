"""From the stored interactions to the stage tables of the reranker: brings together ``tables`` and ``reranker``."""

from dataclasses import dataclass
from typing import Any

import numpy as np
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


def note_released(settings: Settings) -> None:
    """Note that a release was made of the voices that were judged last."""
    tables = StageTables(settings.storage_root)
    voices = tables.read_partition(JUDGED)
    tables.write(RELEASED, RERANKER_VOICES.empty_table() if voices is None else voices)


def note_heard(settings: Settings, heard: Voices | None) -> None:
    """Note which voices a training has heard, once its model is kept.

    ``heard`` is RELEASED as it was when the training began: a release since then may have brought more, and an
    erasure may have taken some away, which are not brought back.
    """
    tables = StageTables(settings.storage_root)
    voices = tables.read_partition(RELEASED)
    if voices is None or heard is None:
        tables.write(HEARD, RERANKER_VOICES.empty_table())
    else:
        tables.write(HEARD, voices.filter(pa.array(np.isin(voices["key"].to_numpy(), heard.keys))))


def _voices(result: TripletResult) -> pa.Table:
    voices = result.voices
    return pa.table([voices.keys, voices.user, voices.cluster], schema=RERANKER_VOICES)
