"""A small knowledge base and its users: whoever asks wants the passage that explains, not the heading that repeats."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from feedback_pipeline.reranker_ratings import judge_ratings
from feedback_pipeline.reranker_release import release_reranker
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, interaction_days, interactions_of_day
from feedback_pipeline.store.interactions import Chunk, Interaction, record_many
from feedback_pipeline.tables.stages import StageTables

DAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
_MADE = ("copper", "maple", "silver", "walnut", "velvet", "granite", "amber", "cedar", "ivory", "cobalt")
_THINGS = (
    *("lantern", "kettle", "anvil", "saddle", "compass", "hammock"),
    *("bellows", "pulley", "trellis", "quiver", "spindle", "chisel"),
)


def topics(count: int) -> list[str]:
    names = [f"{made} {thing}" for thing in _THINGS for made in _MADE]
    return names[:count]


def query_of(topic: str) -> str:
    return f"How do I return a {topic}?"


def helpful(topic: str) -> str:
    return (
        f"Put the {topic} back into its box, add the slip that came with it, and hand the parcel in at any counter. "
        "The money is on your account within five working days."
    )


def heading(topic: str) -> str:
    """Return what an untrained retriever likes best."""
    return f"How do I return a {topic}? See elsewhere."


def aside(topic: str) -> str:
    """Return what nobody likes."""
    return f"The canteen beside the {topic} workshop is closed on public holidays."


def thumbs(count: int, *, users: int = 7, swapped: bool = False) -> list[Interaction]:
    """Return two rated interactions per topic: the explanation is liked, the heading is not."""
    up, down = (-1, 1) if swapped else (1, -1)
    rated = []
    for number, topic in enumerate(topics(count)):
        # The untrained retriever has to be right more often than not: else users would seem to contradict it.
        unhelpful = heading(topic) if number % 5 < 2 else aside(topic)
        for place, (text, thumb) in enumerate(((helpful(topic), up), (unhelpful, down))):
            rated.append(
                Interaction(
                    kind="rag",
                    natural_query=query_of(topic),
                    database_id="shop" if number % 2 else "depot",
                    user_id=f"user {(number + place) % users}",
                    feedback=thumb,
                    created_at=DAY,
                    rated_at=DAY,
                    chunks=[Chunk(f"c{number}-{place}", text, 0.5, 1, True)],
                    client_key=f"{topic} {place}",
                )
            )
    return rated


def released(store: Store, settings: Settings, interactions: Iterable[Interaction]) -> None:
    """Bring interactions to where the nightly job leaves them: stored by day, judged, released."""
    record_many(store, interactions)
    tables = StageTables(settings.storage_root)
    for day in interaction_days(store):
        tables.write("raw_interactions", interactions_of_day(store, day), date.isoformat(day))
    judge_ratings(settings)
    release_reranker(store, settings)


def settings_of(root: Path, **changes: Any) -> Settings:
    small: Mapping[str, Any] = {
        "storage_root": str(root),
        "hash_key": "secret",
        "reranker_candidates": "blend",
        "reranker_max_tokens": 48,
        "reranker_min_held_out": 10,
        "reranker_device": "cpu",
    }
    return Settings.model_validate({**small, **changes})
