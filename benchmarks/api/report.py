"""Runs the load and prints what came of it: requests/s, percentiles, and whether every promise was kept."""

import statistics
import tempfile
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from benchmarks.api import clients, filling, serving
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, open_store
from feedback_pipeline.store.models import FeedbackRow, InteractionRow

_LOOKS = 60


def measure(waiting: int, seconds: float, database_url: str | None) -> None:
    """Fill a store, serve it, send to it, compare with the bare peer, and count what is stored."""
    console = Console()
    with tempfile.TemporaryDirectory() as root:
        settings = Settings.model_validate(
            {"storage_root": root, "database_url": database_url, "hash_key": "benchmark"}
        )
        store = open_store(settings)
        filling.fill(store, settings, waiting)
        before = _stored(store)
        with serving.ours(root, database_url, triage=False) as url:
            looked = clients.look_at_the_queue(url, _LOOKS)
            clients.use_everything(url, 2)
            warm = _stored(store)
            used = clients.use_everything(url, seconds)
            kept = _kept(store, used, warm)
            corrected = clients.only_correct(url, seconds / 2)
        with serving.bare(root) as url:
            clients.only_correct(url, 2)
            plain = clients.only_correct(url, seconds / 2)
        _print(console, f"one reviewer, {before['pending']:,} waiting, {store.engine.dialect.name}", looked)
        _print(console, f"{clients.CLIENTS} clients, everything, {store.engine.dialect.name}", used)
        console.print(kept)
        _print(console, f"{clients.CLIENTS} clients, corrections only", corrected)
        _print(console, f"{clients.CLIENTS} clients, bare FastAPI route that inserts a row into SQLite", plain)
        ours, theirs = (len(seen.milliseconds["correct"]) / seen.seconds for seen in (corrected, plain))
        console.print(f"ratio of requests/s to the bare route {ours / theirs:.2f}\n")
        store.close()


def _stored(store: Store) -> dict[str, int]:
    with store.read() as session:
        return {
            "feedback": session.scalar(select(func.count()).select_from(FeedbackRow)) or 0,
            "pending": session.scalar(select(func.count()).where(FeedbackRow.status == "pending")) or 0,
            "interactions": session.scalar(select(func.count()).select_from(InteractionRow)) or 0,
        }


def _kept(store: Store, seen: clients.Seen, before: Mapping[str, int]) -> str:
    """Compare what clients were told with what is stored."""
    after = _stored(store)
    with store.read() as session:
        ids = set(session.scalars(select(FeedbackRow.feedback_id)))
        rated = dict(session.execute(select(InteractionRow.interaction_id, InteractionRow.feedback)).tuples().all())
    lost = sum(feedback_id not in ids for feedback_id in seen.corrections.values())
    unrated = sum(rated.get(interaction) != rating for interaction, rating in seen.ratings.items())
    extra = after["feedback"] - before["feedback"] - len(seen.corrections)
    failed = sum(count for (_, status), count in seen.statuses.items() if status >= 500)
    return (
        f"corrections acknowledged {len(seen.corrections):,}, lost {lost}, stored twice {extra}, "
        f"another id on retry {len(seen.broken_promises)}; ratings acknowledged {len(seen.ratings):,}, "
        f"lost {unrated}; answers 5xx {failed}\n"
    )


def _print(console: Console, title: str, seen: clients.Seen) -> None:
    table = Table("request", "answers", "per second", "median ms", "p95 ms", title=title, title_justify="left")
    for kind, durations in seen.milliseconds.items():
        statuses = ", ".join(f"{s}: {n:,}" for (of, s), n in sorted(seen.statuses.items()) if of == kind)
        p95 = statistics.quantiles(durations, n=20)[-1]
        rate = f"{len(durations) / seen.seconds:,.0f}"
        table.add_row(kind, statuses, rate, f"{statistics.median(durations):.1f}", f"{p95:.1f}")
    console.print(table)
    total = sum(map(len, seen.milliseconds.values()))
    console.print(f"{total / seen.seconds:,.0f} requests/s in all\n")
