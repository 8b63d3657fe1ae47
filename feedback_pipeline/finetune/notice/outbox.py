"""What has been seen of the releases, and which notices wait for which receiver: the memory between two looks.

It is kept as the cursor of a sensor. A notice leaves it once its receiver has taken it, so a receiver that is away
neither loses one nor holds up the others. Should the process die between a post and the next cursor, the notice is
posted again with the same id.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, cast

from pydantic import BaseModel, Field, ValidationError

from feedback_pipeline.finetune.catalog import DamagedReleaseError, Release, ReleaseCatalog
from feedback_pipeline.finetune.notice.webhooks import RELEASED, Notice, NotTakenError, Receiver, event_of
from feedback_pipeline.tables.files import filesystem, sha256

_GIVE_UP_AFTER = timedelta(days=7)
_LONGEST_PAUSE = timedelta(hours=6)
_SECONDS_TO_POST = 15

Post = Callable[[Receiver, Notice], None]
"""Hands one notice to one receiver. Raises NotTakenError."""


class Seen(BaseModel):
    """One manifest: ``state`` changes when the file does, ``digest`` and ``event`` tell what there was to tell."""

    state: str
    digest: str
    event: str


class Waiting(BaseModel):
    """One notice that one receiver has not taken yet."""

    event: str
    name: str
    version: int
    since: datetime
    attempts: int = 0
    again_at: datetime | None = None

    @property
    def label(self) -> str:
        """What people are told."""
        return f"{self.event} of {self.name} v{self.version}"


class Outbox(BaseModel):
    """The memory between two looks.

    Attributes:
        seen: by dataset and version.
        waiting: by the key of the receiver, the oldest first.
        asked: by dataset, the push to the hub that was asked for last.
    """

    seen: dict[str, dict[int, Seen]] = Field(default_factory=dict)
    waiting: dict[str, list[Waiting]] = Field(default_factory=dict)
    asked: dict[str, str] = Field(default_factory=dict)

    def look(self, catalog: ReleaseCatalog) -> tuple[list[Release], list[str]]:
        """Take in what has changed; return the versions with something to tell, and what could not be read.

        Only manifests that are new or have changed are read.
        """
        present = _manifests(catalog)
        self.seen = {name: _kept(versions, present.get(name, {})) for name, versions in self.seen.items()}
        changed: list[Release] = []
        unreadable: list[str] = []
        for name, version, state in _different(self.seen, present):
            try:
                release = catalog.look_up(f"{name}@v{version}")
            except (DamagedReleaseError, LookupError) as error:
                unreadable.append(str(error))
                continue
            if self._take_in(release, state):
                changed.append(release)
        return sorted(changed, key=lambda one: (one.name, event_of(one) != RELEASED, one.version)), unreadable

    def add(self, releases: Sequence[Release], to: Sequence[Receiver], now: datetime) -> None:
        """Let notices of ``releases`` wait for each receiver; forget receivers that are not among ``to`` any more."""
        new = [Waiting(event=event_of(one), name=one.name, version=one.version, since=now) for one in releases]
        self.waiting = {one.key: [*self.waiting.get(one.key, []), *new] for one in to}

    def deliver(self, catalog: ReleaseCatalog, to: Sequence[Receiver], post: Post, now: datetime) -> list[str]:
        """Post what is due, to all receivers at once; return what happened, one line each.

        What is not taken waits for a minute, then for longer and longer, up to six hours; after seven days it is given
        up with the next failure. The other notices of a receiver that is away are not tried at the same look.
        """
        if not any(self.waiting.values()):
            return []
        with ThreadPoolExecutor(max_workers=len(to)) as pool:
            done = list(pool.map(lambda one: _deliver_to(one, self.waiting[one.key], catalog, post, now), to))
        self.waiting = {one.key: left for one, (left, _) in zip(to, done, strict=True)}
        return [line for _, lines in done for line in lines]

    def newest(self) -> dict[str, tuple[int, str]]:
        """Return version and digest of the newest version of each dataset that has its data."""
        held = {
            name: max((version for version, one in versions.items() if one.event == RELEASED), default=None)
            for name, versions in self.seen.items()
        }
        return {name: (version, self.seen[name][version].digest) for name, version in held.items() if version}

    @property
    def waiting_count(self) -> int:
        """How many notices wait, counted per receiver."""
        return sum(map(len, self.waiting.values()))

    def _take_in(self, release: Release, state: str) -> bool:
        """Remember a version; return whether there is something to tell about it."""
        versions = self.seen.setdefault(release.name, {})
        before = versions.get(release.version)
        now = Seen(state=state, digest=release.digest[:12], event=event_of(release))
        versions[release.version] = now
        if before is None:
            # Revoked before it was ever seen: nobody was told of it, so there is nothing to take back.
            return now.event == RELEASED
        return (before.digest, before.event) != (now.digest, now.event)


def opened(cursor: str | None) -> Outbox | None:
    """Return the memory that ``cursor`` holds; None where there is none or it cannot be read."""
    try:
        return Outbox.model_validate_json(cursor) if cursor else None
    except ValidationError:
        return None


def cursor_of(outbox: Outbox) -> str:
    """Return the memory as text: equal for equal content."""
    return outbox.model_dump_json(exclude_defaults=True)


@dataclass(frozen=True)
class _Attempt:
    """What became of one notice: what goes on waiting, what to say, and whether its receiver is away."""

    left: Waiting | None
    line: str
    away: bool = False


def _deliver_to(
    receiver: Receiver, waiting: list[Waiting], catalog: ReleaseCatalog, post: Post, now: datetime
) -> tuple[list[Waiting], list[str]]:
    left: list[Waiting] = []
    lines: list[str] = []
    ends, away = monotonic() + _SECONDS_TO_POST, False
    for one in waiting:
        if away or monotonic() > ends or (one.again_at and one.again_at > now):
            left.append(one)
            continue
        attempt = _attempt(receiver, one, catalog, post, now)
        away = attempt.away
        lines.append(attempt.line)
        if attempt.left:
            left.append(attempt.left)
    return left, lines


def _attempt(receiver: Receiver, one: Waiting, catalog: ReleaseCatalog, post: Post, now: datetime) -> _Attempt:
    try:
        notice = _notice(catalog, one)
    except (DamagedReleaseError, OSError) as error:
        return _Attempt(one, f"{one.label} waits: {error}")
    if notice is None:
        return _Attempt(None, f"{one.label} is no longer true, so {receiver.label} is not told")
    try:
        post(receiver, notice)
    except NotTakenError as error:
        return _not_taken(receiver, one, error, now)
    return _Attempt(None, f"told {receiver.label}: {one.label}")


def _not_taken(receiver: Receiver, one: Waiting, error: NotTakenError, now: datetime) -> _Attempt:
    """Let it wait for longer, or give it up."""
    if now - one.since >= _GIVE_UP_AFTER:
        text = f"gave up telling {receiver.label} after {_GIVE_UP_AFTER.days} days: {one.label}; it {error}"
        return _Attempt(None, text, error.passing)
    again_at = now + min(timedelta(minutes=2 ** min(one.attempts, 10)), _LONGEST_PAUSE)
    later = one.model_copy(update={"attempts": one.attempts + 1, "again_at": again_at})
    text = f"{receiver.label} {error}; {one.label} is posted again from {again_at:%Y-%m-%d %H:%M} UTC on"
    return _Attempt(later, text, error.passing)


def _notice(catalog: ReleaseCatalog, one: Waiting) -> Notice | None:
    """Return what waits, or None where it has become untrue: nobody is sent to fetch what was revoked meanwhile."""
    try:
        release = catalog.look_up(f"{one.name}@v{one.version}")
    except LookupError:
        return None
    return Notice(one.event, release, one.since.isoformat()) if event_of(release) == one.event else None


def _manifests(catalog: ReleaseCatalog) -> dict[str, dict[int, str]]:
    """Return, by dataset and version, a text that changes when the manifest does."""
    fs, inner = filesystem(catalog.root)
    found = cast(dict[str, Any], fs.glob(f"{inner}/*/v*/manifest.json", detail=True))
    listed: dict[str, dict[int, str]] = {}
    for path, info in found.items():
        name, folder = path.split("/")[-3:-1]
        if folder[1:].isdigit():
            listed.setdefault(name, {})[int(folder[1:])] = sha256(str(sorted(info.items())).encode())[:12]
    return listed


def _kept(seen: dict[int, Seen], present: dict[int, str]) -> dict[int, Seen]:
    return {version: one for version, one in seen.items() if version in present}


def _different(seen: dict[str, dict[int, Seen]], present: dict[str, dict[int, str]]) -> list[tuple[str, int, str]]:
    return sorted(
        (name, version, state)
        for name, versions in present.items()
        for version, state in versions.items()
        if (known := seen.get(name, {}).get(version)) is None or known.state != state
    )
