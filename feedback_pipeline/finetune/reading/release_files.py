"""The files that a manifest names: which config and split each is of, and how large it must be.

A manifest comes from wherever a release was pulled from, so nothing in it is believed before it was looked at.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from feedback_pipeline.finetune.catalog import DamagedReleaseError

MANIFEST = "manifest.json"
CARD = "README.md"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[\w-][\w.-]*")
_READ_BYTES = 1024 * 1024


class UnknownConfigError(LookupError):
    """A release has no such config, or no such split of it; the text lists what there is."""


@dataclass(frozen=True)
class ReleaseFile:
    """One file of a release.

    Attributes:
        path: below the folder of the version, with ``/``.
        size: bytes.
        sha256: hex.
        rows: of a Parquet file, None where the manifest does not say (format 1, README.md).
        config: None for what belongs to no config: README.md, ``rows.parquet``, ``dropped.parquet``.
        split: None where config is.
    """

    path: str
    size: int
    sha256: str
    rows: int | None = None
    config: str | None = None
    split: str | None = None


def release_files(manifest: Mapping[str, Any], where: str) -> list[ReleaseFile]:
    """Return the files of a manifest of format 1 or 2, in its order. ``where`` names it in errors.

    Raises:
        DamagedReleaseError: an entry cannot be read, is named twice, or leads out of the folder of the version.
    """
    entries = manifest.get("files")
    if not isinstance(entries, list):
        raise DamagedReleaseError(f"{where} names no files; restore it from a backup or publish a new version")
    files = [_file(entry, where, has_configs="format" in manifest) for entry in entries]
    if len({file.path for file in files}) < len(files):
        raise DamagedReleaseError(f"{where} names a file twice; restore it from a backup or publish a new version")
    return files


def configs_of(manifest: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return the row counts per split of each config that lies here. Format 1 has the config ``default`` alone."""
    configs = manifest.get("configs") or {"default": {"rows": manifest["rows"]}}
    here = pulled_configs(manifest) or configs
    return {name: dict(config["rows"]) for name, config in configs.items() if name in here}


def pulled_configs(manifest: Mapping[str, Any]) -> list[str] | None:
    """Return the configs that a folder was pulled with, or None where it is whole."""
    return manifest["pulled"]["configs"] if "pulled" in manifest else None


def files_here(manifest: Mapping[str, Any], where: str) -> list[ReleaseFile]:
    """Return the files that lie beside a manifest: all, or those of the configs it was pulled with."""
    return of_configs(manifest, pulled_configs(manifest), where)


def of_configs(manifest: Mapping[str, Any], configs: Collection[str] | None, where: str) -> list[ReleaseFile]:
    """Return README.md and the files of some configs, or all files where ``configs`` is None.

    Raises:
        UnknownConfigError: the release has no such config.
        DamagedReleaseError: the manifest cannot be read.
    """
    files = release_files(manifest, where)
    if configs is None:
        return files
    if unknown := sorted(set(configs) - set(configs_of(manifest))):
        there = ", ".join(configs_of(manifest))
        raise UnknownConfigError(f"{where} has no config {', '.join(unknown)}; it has {there}")
    return [file for file in files if file.path == CARD or file.config in configs]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hex, reading it in pieces."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _file(entry: Any, where: str, *, has_configs: bool) -> ReleaseFile:
    try:
        file = ReleaseFile(
            safe_path(entry["path"]),
            int(entry["bytes"]),
            entry["sha256"],
            entry.get("rows"),
            entry.get("config"),
            entry.get("split"),
        )
        if file.size < 0 or not _SHA256.fullmatch(file.sha256):
            raise ValueError("its size or SHA-256 is none")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedReleaseError(
            f"{where} has an entry that cannot be used ({entry!r}: {error}); nothing was read from it. Ask its "
            "publisher, or restore it from a backup"
        ) from error
    return file if has_configs or not file.path.endswith(".parquet") else _of_format_1(file)


def _of_format_1(file: ReleaseFile) -> ReleaseFile:
    split = PurePosixPath(file.path).name.split("-", 1)[0]
    return ReleaseFile(file.path, file.size, file.sha256, file.rows, "default", split)


def safe_path(path: Any) -> str:
    """Return ``path`` if it is plain names joined by ``/``, none of them hidden; else raise ValueError."""
    if not isinstance(path, str) or path == MANIFEST or not all(_PART.fullmatch(part) for part in path.split("/")):
        raise ValueError("its path is not one below the folder of the version")
    return path
