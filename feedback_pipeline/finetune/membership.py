"""Which released versions hold a feedback, or a rated answer: each version is read once, and costs one bit per id.

A version never changes but by being revoked, so what was read of it stays true until its manifest says that it is gone.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from glob import escape
from typing import Any, cast

import numpy as np

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.tables.files import filesystem, read_json
from feedback_pipeline.tables.id_sets import id_set, place, places

logger = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class DatasetVersion:
    """A released version of a dataset, such as ``text2sql`` 3."""

    name: str
    version: int


@dataclass
class _Members:
    """The feedback of all versions of one dataset.

    ``ids`` are sorted; ``codes`` number them in the order they were first seen, which is their bit in ``bits``.
    """

    ids: np.ndarray = field(default_factory=lambda: np.array([], "S1"))
    codes: np.ndarray = field(default_factory=lambda: np.array([], np.int64))
    bits: dict[int, np.ndarray] = field(default_factory=dict)

    def add(self, version: int, present: np.ndarray) -> None:
        new = present[places(self.ids, present) < 0]
        at = np.searchsorted(self.ids, new)
        self.codes = np.insert(self.codes, at, np.arange(len(self.ids), len(self.ids) + len(new)))
        # The wider of the two, or longer ids would be cut.
        self.ids = np.insert(self.ids.astype(np.result_type(self.ids, new)), at, new)
        held = np.zeros(len(self.ids), bool)
        held[self.codes[places(self.ids, present)]] = True
        self.bits[version] = np.packbits(held)

    def versions_of(self, feedback_id: str) -> list[int]:
        at = place(self.ids, feedback_id)
        if at < 0:
            return []
        byte, bit = divmod(int(self.codes[at]), 8)
        return [v for v, held in self.bits.items() if byte < len(held) and held[byte] >> (7 - bit) & 1]


@dataclass(frozen=True)
class _Seen:
    """The manifest of a version as it was when it was looked at, and the digest of the rows that were read, if any."""

    state: str
    digest: str | None


class DatasetMembership:
    """Tells which released versions, revoked ones left out, hold a feedback. Thread-safe.

    Args:
        root: the storage root.
        refresh_seconds: how old the knowledge of what is released may get. Whoever looks first after that reads the new
            versions; others are answered meanwhile from what is known.

    """

    def __init__(self, root: str, *, refresh_seconds: float = 5.0):
        self._catalog = ReleaseCatalog(root)
        self._refresh_seconds = refresh_seconds
        self._members: dict[str, _Members] = {}
        self._seen: dict[DatasetVersion, _Seen] = {}
        self._unreadable: set[DatasetVersion] = set()
        self._looked_at = float("-inf")
        self._looking = threading.Lock()
        self._reading = threading.Lock()

    def versions_with(self, feedback_id: str) -> list[DatasetVersion]:
        """Return the versions of all datasets whose rows rest on a feedback, by name and number.

        The id of an interaction, as text, is found as well where rows rest on its rating. A version that cannot be read
        is left out, and the log says so.
        """
        self._look()
        with self._reading:
            found = {name: members.versions_of(feedback_id) for name, members in self._members.items()}
        return sorted(DatasetVersion(name, version) for name, versions in found.items() for version in versions)

    def _look(self) -> None:
        # Only the very first has others wait: before that there is nothing to answer from.
        if not self._looking.acquire(blocking=self._looked_at == float("-inf")):
            return
        try:
            if time.monotonic() - self._looked_at >= self._refresh_seconds:
                self._refresh()
                self._looked_at = time.monotonic()
        except OSError as error:
            logger.warning("released datasets cannot be listed: %s", error)
        finally:
            self._looking.release()

    def _refresh(self) -> None:
        manifests = self._manifests()
        for gone in self._seen.keys() - manifests.keys():
            self._forget(gone)
        for version, (path, state) in sorted(manifests.items()):
            if version not in self._seen or self._seen[version].state != state:
                self._take_in(version, path, state)

    def _manifests(self) -> dict[DatasetVersion, tuple[str, str]]:
        """Return folder and state of the manifest of each version; the state changes when the manifest does."""
        fs, inner = filesystem(self._catalog.root)
        found = cast(dict[str, Any], fs.glob(f"{escape(inner)}/*/v*/manifest.json", detail=True))
        listed: dict[DatasetVersion, tuple[str, str]] = {}
        for path, info in found.items():
            name, folder = path.split("/")[-3:-1]
            if folder[1:].isdigit():
                version = DatasetVersion(name, int(folder[1:]))
                listed[version] = self._catalog.folder(name, version.version), str(sorted(info.items()))
        return listed

    def _take_in(self, version: DatasetVersion, folder: str, state: str) -> None:
        """Read a version that is new or whose manifest has changed; what cannot be read is tried again next time."""
        try:
            self._seen[version] = _Seen(state, self._digest_read(version, folder))
            self._unreadable.discard(version)
        except (OSError, ValueError, LookupError) as error:
            if version not in self._unreadable:
                self._unreadable.add(version)
                logger.warning("dataset %s v%d cannot be read: %s", version.name, version.version, error)

    def _digest_read(self, version: DatasetVersion, folder: str) -> str | None:
        manifest = read_json(f"{folder}/manifest.json")
        if manifest is None or "revoked" in manifest:
            self._forget(version)
            return None
        release = Release(version.name, version.version, folder, manifest)
        if version not in self._seen or self._seen[version].digest != release.digest:
            self._read(release)
        return release.digest

    def _read(self, release: Release) -> None:
        present = id_set(self._catalog.feedback_behind(release).column(0))
        with self._reading:
            self._members.setdefault(release.name, _Members()).add(release.version, present)

    def _forget(self, version: DatasetVersion) -> None:
        self._seen.pop(version, None)
        with self._reading:
            if version.name in self._members:
                self._members[version.name].bits.pop(version.version, None)
