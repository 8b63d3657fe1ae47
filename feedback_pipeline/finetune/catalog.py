"""What has been released: ``releases/<name>/vN`` with a manifest each, and the pointer ``latest``."""

import re
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from feedback_pipeline.tables.files import filesystem, read_json, write_json

_VERSION = re.compile(r"v(\d+)")
_REFERENCE = re.compile(r"(?P<name>[\w.-]+)(?:@v?(?P<version>\d+|latest))?")


class UnknownReleaseError(LookupError):
    """There is no such dataset or version; the text lists what there is."""


class DamagedReleaseError(RuntimeError):
    """A manifest cannot be read; the text names it."""


@dataclass(frozen=True)
class Release:
    """One published version of a dataset.

    Attributes:
        name: for example ``text2sql``.
        version: counted from 1.
        path: folder or URL; ``datasets.load_dataset(path)`` loads it.
        manifest: digest, parent, counts, schema, thresholds, code version and files with their SHA-256.
    """

    name: str
    version: int
    path: str
    manifest: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the content: equal for equal rows and splits."""
        return self.manifest["digest"]

    @property
    def rows(self) -> dict[str, int]:
        """Row count of each split."""
        return self.manifest["rows"]


class ReleaseCatalog:
    """The releases below one storage root. A version exists once its manifest does."""

    def __init__(self, root: str):
        self.root = f"{root.rstrip('/')}/releases"

    def names(self) -> list[str]:
        """Return the names of all released datasets."""
        fs, inner = filesystem(self.root)
        return sorted({str(path).split("/")[-3] for path in fs.glob(f"{inner}/*/v*/manifest.json")})

    def versions(self, name: str) -> list[int]:
        """Return the published version numbers of a dataset, in order."""
        fs, inner = filesystem(f"{self.root}/{name}")
        folders = (str(path).split("/")[-2] for path in fs.glob(f"{inner}/v*/manifest.json"))
        return sorted(int(match.group(1)) for folder in folders if (match := _VERSION.fullmatch(folder)))

    def latest(self, name: str) -> Release | None:
        """Return the version that ``latest`` points at, the newest if that is lost, or None before the first."""
        try:
            pointer = read_json(self._pointer_path(name))
        except ValueError:
            pointer = None
        pointed = self._read(name, pointer["version"]) if pointer else None
        return pointed or self.newest(name)

    def newest(self, name: str) -> Release | None:
        """Return the version with the highest number: ``latest``, unless a publisher died just before moving it."""
        versions = self.versions(name)
        return self._read(name, versions[-1]) if versions else None

    def splits_of(self, release: Release) -> dict[str, str]:
        """Return the split of each row_id of a release."""
        splits: dict[str, str] = {}
        for file in release.manifest["files"]:
            if file["path"].endswith(".parquet"):
                fs, inner = filesystem(f"{release.path}/{file['path']}")
                with fs.open(inner, "rb") as stream:
                    row_ids = pq.read_table(stream, columns=["row_id"])["row_id"].to_pylist()
                splits |= dict.fromkeys(row_ids, file["path"].split("/")[-1].split("-", 1)[0])
        return splits

    def find(self, reference: str) -> Release:
        """Return the release of ``NAME``, ``NAME@3``, ``NAME@v3`` or ``NAME@latest``.

        Raises:
            UnknownReleaseError: no such name or version.
            DamagedReleaseError: its manifest cannot be read.
        """
        match = _REFERENCE.fullmatch(reference)
        if not match or match["name"] not in self.names():
            known = ", ".join(self.names()) or "none yet; run 'feedback-pipeline run'"
            raise UnknownReleaseError(f"no dataset {reference!r}; released datasets: {known}")
        name, wanted = match["name"], match["version"]
        release = self.latest(name) if wanted in (None, "latest") else self._read(name, int(wanted))
        if release is None:
            versions = ", ".join(f"v{version}" for version in self.versions(name))
            raise UnknownReleaseError(f"dataset {name} has no version {wanted or 'latest'}; it has {versions}")
        return release

    def folder(self, name: str, version: int) -> str:
        """Return where a version lies, published or not."""
        return f"{self.root}/{name}/v{version}"

    def point_latest(self, name: str, version: int) -> None:
        """Move ``latest``: the last step of publishing."""
        write_json(self._pointer_path(name), {"version": version})

    def _read(self, name: str, version: int) -> Release | None:
        folder = self.folder(name, version)
        try:
            manifest = read_json(f"{folder}/manifest.json")
        except ValueError as error:
            raise DamagedReleaseError(
                f"{folder}/manifest.json is damaged ({error}); restore the version from a backup, or delete its folder"
            ) from error
        return Release(name, version, folder, manifest) if manifest else None

    def _pointer_path(self, name: str) -> str:
        return f"{self.root}/{name}/latest.json"
