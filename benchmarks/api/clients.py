"""Fifty clients at once, each waiting for its answer before it sends again, as agents and browsers do."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import jwt

from benchmarks.api.filling import questions
from benchmarks.api.serving import SECRET

CLIENTS = 50
_RETRY_EVERY = 10


@dataclass
class Seen:
    """What the clients saw: milliseconds by kind of request, statuses, and what they were told is stored.

    ``name`` sets the idempotency keys of one go apart from those of another.
    """

    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    corrections: dict[str, str] = field(default_factory=dict)
    ratings: dict[int, int] = field(default_factory=dict)
    broken_promises: list[str] = field(default_factory=list)
    name: str = field(default_factory=lambda: uuid4().hex)
    seconds: float = 0.0

    def note(self, kind: str, started: float, answer: httpx.Response) -> httpx.Response:
        """Remember one answer."""
        self.milliseconds[kind].append((time.perf_counter() - started) * 1000)
        self.statuses[kind, answer.status_code] += 1
        return answer


def bearer(subject: str, role: str = "user") -> dict[str, str]:
    """Return the header of a caller."""
    claims = {
        "sub": subject,
        "role": role,
        "iss": "feedback-pipeline",
        "aud": "feedback-pipeline",
        "exp": datetime.now(UTC) + timedelta(hours=2),
    }
    return {"Authorization": f"Bearer {jwt.encode(claims, SECRET, algorithm='HS256')}"}


def use_everything(url: str, seconds: float) -> Seen:
    """Record, rate, correct (every tenth twice, as after a lost answer) and search, for so many seconds."""
    return asyncio.run(_all_clients(url, seconds, _use_everything))


def only_correct(url: str, seconds: float) -> Seen:
    """Send nothing but corrections, which the bare peer understands too."""
    return asyncio.run(_all_clients(url, seconds, _only_correct))


def look_at_the_queue(url: str, times: int) -> Seen:
    """One reviewer opens the first pages of the queue, filtered and not, again and again."""
    return asyncio.run(_look(url, times))


async def _all_clients(url: str, seconds: float, loop_of) -> Seen:
    seen, rows = Seen(), questions()
    async with AsyncExitStack() as stack:
        # A connection pool each: one for all spends more time on looking for a free connection than the server answers.
        own = [await stack.enter_async_context(_client(url)) for _ in range(CLIENTS)]
        started = time.perf_counter()
        loops = (loop_of(http, seen, number, rows, started + seconds) for number, http in enumerate(own))
        await asyncio.gather(*loops)
        seen.seconds = time.perf_counter() - started
    return seen


def _client(url: str) -> httpx.AsyncClient:
    # Without certificates to load, which takes longer than all the rest.
    return httpx.AsyncClient(base_url=url, timeout=60, verify=False)


async def _use_everything(http: httpx.AsyncClient, seen: Seen, number: int, rows: Iterator, until: float) -> None:
    headers, turn = bearer(f"client {number}"), 0
    while time.perf_counter() < until:
        row, turn = next(rows), turn + 1
        interaction = {"database_id": row["database_id"], "natural_query": row["natural_query"], "output": "SELECT 1"}
        answer = await _post(http, seen, "record", "/interactions", interaction, headers)
        if answer.is_success:
            await _rate(http, seen, answer.json()["interaction_id"], turn, headers)
        await _correct(http, seen, row, f"{seen.name}-{number}-{turn}", headers, twice=turn % _RETRY_EVERY == 0)
        question = {"database_id": row["database_id"], "natural_query": row["natural_query"]}
        await _post(http, seen, "search", "/examples/search", question, headers)


async def _rate(http: httpx.AsyncClient, seen: Seen, interaction_id: int, turn: int, headers: dict[str, str]) -> None:
    rating = 1 if turn % 3 else -1
    rated = await _post(http, seen, "rate", "/feedback", {"interaction_id": interaction_id, "rating": rating}, headers)
    if rated.is_success:
        seen.ratings[interaction_id] = rating


async def _correct(
    http: httpx.AsyncClient, seen: Seen, row: dict[str, str], key: str, headers: dict[str, str], *, twice: bool
) -> None:
    body = {name: row[name] for name in ("database_id", "natural_query", "corrected_sql")}
    keyed = {**headers, "Idempotency-Key": key}
    for _ in range(2 if twice else 1):
        answer = await _post(http, seen, "correct", "/feedback", body, keyed)
        if not answer.is_success:
            continue
        feedback_id = answer.json()["feedback_id"]
        if seen.corrections.setdefault(key, feedback_id) != feedback_id:
            seen.broken_promises.append(f"{key}: {feedback_id} and {seen.corrections[key]}")


async def _only_correct(http: httpx.AsyncClient, seen: Seen, number: int, rows: Iterator, until: float) -> None:
    headers = bearer(f"client {number}")
    while time.perf_counter() < until:
        row = next(rows)
        body = {name: row[name] for name in ("database_id", "natural_query", "corrected_sql")}
        await _post(http, seen, "correct", "/feedback", body, headers)


async def _post(
    http: httpx.AsyncClient, seen: Seen, kind: str, path: str, body: dict, headers: dict[str, str]
) -> httpx.Response:
    started = time.perf_counter()
    return seen.note(kind, started, await http.post(path, json=body, headers=headers))


async def _look(url: str, times: int) -> Seen:
    seen, headers = Seen(), bearer("reviewer", "reviewer")
    # The page and the JSON interface name some filters differently.
    database, words = {"database_id": "db_007", "database": "db_007"}, {"text": "royal harbour", "q": "royal harbour"}
    pages = {
        "queue": {},
        "queue, one database": database,
        "queue, passed": {"checks": "passed"},
        "queue, oldest": {"order": "oldest"},
        "queue, words": words,
    }
    started = time.perf_counter()
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        for _ in range(times):
            for kind, filters in pages.items():
                sent = time.perf_counter()
                seen.note(f"{kind} (JSON)", sent, await http.get("/review-queue", params=filters, headers=headers))
        await _sign_in(http, headers)
        for _ in range(times):
            for kind, filters in pages.items():
                sent = time.perf_counter()
                seen.note(f"{kind} (page)", sent, await http.get("/review", params=filters))
    seen.seconds = time.perf_counter() - started
    return seen


async def _sign_in(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    token = headers["Authorization"].removeprefix("Bearer ")
    answer = await http.post("/sign-in", data={"token": token}, headers={"Origin": str(http.base_url).rstrip("/")})
    if answer.status_code != 303:
        raise RuntimeError(f"the reviewer could not sign in: {answer.status_code}")
