"""What has been released: ``releases/<name>/vN`` with a manifest each, and the pointer ``latest``."""

import re
from dataclasses import dataclass
from glob import escape
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feedback_pipeline.finetune.content import record
from feedback_pipeline.finetune.content.kind import kind_of
from feedback_pipeline.finetune.content.prompts import Prompts, read_templates
from feedback_pipeline.finetune.content.record import Record
from feedback_pipeline.tables.files import filesystem, read_bytes, read_json, uncached, write_json

_VERSION = re.compile(r"v(\d+)")
_NAME = re.compile(r"\w[\w-]*(\.[\w-]+)*")
_REFERENCE = re.compile(r"(?P<name>[\w.-]+)(?:@v?(?P<version>\d+|latest))?")
_REQUIRED = ("digest", "rows", "files", "thresholds")

PROMPTS_FILE = "prompts.json"

_CANONICAL = ("default/", "data/")
"""Folders of the canonical rows; the second is that of releases before format 2."""


class UnknownReleaseError(LookupError):
    """There is no such dataset or version; the text lists what there is."""


class RevokedReleaseError(LookupError):
    """The rows of a version were removed for good; the text says why and which version to take."""


class DamagedReleaseError(RuntimeError):
    """A manifest cannot be read; the text names it."""


def require_name(name: str) -> None:
    """Raise ValueError where ``name`` cannot be that of a dataset: it names a folder, and is part of references."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a dataset; use letters, digits, _ and -, and dots inside")


def read_data(path: str, columns: list[str] | None = None) -> pa.Table:
    """Return one data file of a release."""
    fs, inner = filesystem(path)
    with fs.open(inner, "rb") as stream:
        return pq.read_table(stream, columns=columns)


def split_of_file(path: str) -> str:
    """Return the split that a data file is of: ``data/train-00000-of-00001.parquet`` → ``train``."""
    return path.split("/")[-1].split("-", 1)[0]


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

    @property
    def revoked(self) -> dict[str, Any] | None:
        """``reason`` and ``replaced_by`` where the rows were removed for good, else None."""
        return self.manifest.get("revoked")

    @property
    def data_files(self) -> list[str]:
        """Paths of the files with the canonical rows, whether they are still there or not."""
        names = [file["path"] for file in self.manifest["files"]]
        return [f"{self.path}/{name}" for name in names if name.startswith(_CANONICAL) and name.endswith(".parquet")]

    def names_file(self, name: str) -> bool:
        """Tell whether the manifest lists a file."""
        return any(file["path"] == name for file in self.manifest["files"])


class ReleaseCatalog:
    """The releases below one storage root. A version exists once its manifest does."""

    def __init__(self, root: str):
        self.root = f"{root.rstrip('/')}/releases"

    def names(self) -> list[str]:
        """Return the names of all released datasets."""
        fs, inner = uncached(self.root)
        return sorted({str(path).split("/")[-3] for path in fs.glob(f"{escape(inner)}/*/v*/manifest.json")})

    def versions(self, name: str) -> list[int]:
        """Return the published version numbers of a dataset, in order."""
        fs, inner = uncached(f"{self.root}/{name}")
        folders = (str(path).split("/")[-2] for path in fs.glob(f"{escape(inner)}/v*/manifest.json"))
        return sorted(int(match.group(1)) for folder in folders if (match := _VERSION.fullmatch(folder)))

    def latest(self, name: str) -> Release | None:
        """Return the version ``latest`` points at, the newest if that is lost or revoked, None before the first."""
        version = self._pointed_at(name)
        pointed = self._read(name, version) if version else None
        return pointed if pointed and not pointed.revoked else self.newest(name)

    def _pointed_at(self, name: str) -> int | None:
        """Return the version that the pointer names, None where it is lost or damaged."""
        try:
            pointer = read_json(self._pointer_path(name))
        except ValueError:
            return None
        version = pointer.get("version") if isinstance(pointer, dict) else None
        return version if isinstance(version, int) else None

    def newest(self, name: str) -> Release | None:
        """Return the highest version that is not revoked: ``latest``, unless a publisher died just before moving it."""
        numbers = reversed(self.versions(name))
        releases = (release for number in numbers if (release := self._read(name, number)))
        return next((release for release in releases if not release.revoked), None)

    def releases(self, name: str) -> list[Release]:
        """Return all versions of a dataset in order, revoked ones too."""
        return [release for number in self.versions(name) if (release := self._read(name, number))]

    def next_version(self, name: str) -> int:
        """Return the number of the next version.

        Raises:
            DamagedReleaseError: the newest version has lost its manifest, so nobody knows which rows it held out.
        """
        newest, pointed = max(self.versions(name), default=0), self._pointed_at(name) or 0
        if pointed > newest:
            raise DamagedReleaseError(
                f"{self.folder(name, pointed)} was published and has no manifest.json any more; restore it from a "
                f"backup, or delete {self._pointer_path(name)} to go on from "
                + (f"v{newest}" if newest else "nothing, with new splits")
            )
        return newest + 1

    def record_of(self, release: Release) -> Record:
        """Return the split, shard and fingerprint of each row that a dataset ever had, as a version of it knows them.

        Raises:
            DamagedReleaseError: they cannot be read, so that rows could change sides.
        """
        path = f"{release.path}/{record.FILE}"
        if not release.names_file(record.FILE):
            return record.record_of_splits(self._splits_in_files(release))
        try:
            return record.record_of(read_bytes(path))
        except (OSError, pa.ArrowException) as error:
            raise DamagedReleaseError(
                f"{path} is missing or damaged ({error}); restore it from a backup: without it rows could move from "
                "test to train"
            ) from error

    def prompts_of(self, release: Release) -> Prompts:
        """Return the templates and schemas that a version was rendered with; the bundled ones before format 2."""
        document = read_json(f"{release.path}/{PROMPTS_FILE}")
        return Prompts.from_document(document) if document else Prompts(read_templates())

    @staticmethod
    def _splits_in_files(release: Release) -> dict[str, str]:
        splits: dict[str, str] = dict(release.manifest.get("remembered_splits", {}))
        for path in release.data_files:
            row_ids = read_data(path, ["row_id"])["row_id"].to_pylist()
            splits |= dict.fromkeys(row_ids, split_of_file(path))
        return splits

    def feedback_behind(self, release: Release) -> pa.Table:
        """Return the one column that names what all rows rest on, of a release that is not revoked.

        It is ``feedback_ids``, or ``interaction_ids`` for what rests on ratings of answers.
        """
        kind = kind_of(release.manifest)
        parts = [read_data(path, [kind.origins]) for path in release.data_files]
        return pa.concat_tables(parts) if parts else kind.rows.empty_table().select([kind.origins])

    def find(self, reference: str) -> Release:
        """Return the release of ``NAME``, ``NAME@3``, ``NAME@v3`` or ``NAME@latest``.

        Raises:
            UnknownReleaseError: no such name or version.
            RevokedReleaseError: its rows were removed for good.
            DamagedReleaseError: its manifest cannot be read.
        """
        release = self.look_up(reference)
        if release.revoked:
            instead = release.revoked["replaced_by"]
            take = f"{release.name}@v{instead} or later" if instead else "a later version"
            raise RevokedReleaseError(
                f"dataset {release.name} v{release.version} was revoked ({release.revoked['reason']}) and its data "
                f"files are gone; take {take}"
            )
        return release

    def look_up(self, reference: str) -> Release:
        """Return a release like ``find``, a revoked one too: what is left of it is its manifest.

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
        if manifest is not None and (missing := [field for field in _REQUIRED if field not in manifest]):
            raise DamagedReleaseError(
                f"{folder}/manifest.json is damaged (it has no {missing[0]}); restore the version from a backup, or "
                "delete its folder"
            )
        return Release(name, version, folder, manifest) if manifest else None

    def write_manifest(self, release: Release, manifest: dict[str, Any]) -> None:
        """Replace the manifest of a published version: the one change it may ever see is being revoked."""
        write_json(f"{release.path}/manifest.json", manifest)

    def _pointer_path(self, name: str) -> str:
        return f"{self.root}/{name}/latest.json"
