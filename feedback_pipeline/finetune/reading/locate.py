"""Finding a version below a storage root, also where folders cannot be listed."""

import json
import re
from typing import Any

from feedback_pipeline.finetune.catalog import (
    DamagedReleaseError,
    Release,
    ReleaseCatalog,
    RevokedReleaseError,
    UnknownReleaseError,
)
from feedback_pipeline.finetune.reading.release_files import MANIFEST
from feedback_pipeline.finetune.reading.sources import MissingFileError, Source, open_source, read

_REFERENCE = re.compile(r"(?P<name>\w[\w.-]*)(?:@(?:v?(?P<version>\d+)|latest))?")


def locate(root: str, reference: str) -> Release:
    """Return the release of ``NAME``, ``NAME@3``, ``NAME@v3`` or ``NAME@latest`` below a storage root.

    Args:
        root: local folder, fsspec URL (``s3://…``), or URL of a plain HTTP server that serves a storage root's files.
        reference: name and version.

    Raises:
        UnknownReleaseError: no such name or version.
        RevokedReleaseError: its rows were removed for good.
        DamagedReleaseError: its manifest cannot be read.
        SourceError: the root cannot be read.
    """
    with open_source(root) as source:
        if source.is_local:
            return ReleaseCatalog(root).find(reference)
        return _by_pointer(root.rstrip("/"), source, reference)


def release_at(path: str) -> Release:
    """Return the release whose files lie in a folder or below a URL: a version in a storage root, or a pulled one.

    Raises:
        UnknownReleaseError: there is no manifest.
        RevokedReleaseError, DamagedReleaseError, SourceError: as ``locate``.
    """
    folder = path.rstrip("/")
    with open_source(folder) as source:
        try:
            manifest = _manifest(source, MANIFEST)
        except MissingFileError as error:
            raise UnknownReleaseError(
                f"{source.url(MANIFEST)} is not there, so this is no release, or one that is only half pulled: pull it "
                "again, or name the folder of a version"
            ) from error
    return _usable(Release(manifest["name"], manifest["version"], folder, manifest))


def _by_pointer(root: str, source: Source, reference: str) -> Release:
    match = _REFERENCE.fullmatch(reference)
    if not match:
        raise UnknownReleaseError(f"{reference!r} names no dataset; write NAME, NAME@v3 or NAME@latest")
    name, wanted = match["name"], match["version"]
    number = int(wanted) if wanted else _latest(source, name)
    release = _version(root, source, name, number)
    while not wanted and release.revoked and release.revoked["replaced_by"]:
        # A publisher may have died just before moving the pointer.
        release = _version(root, source, name, release.revoked["replaced_by"])
    return _usable(release)


def _latest(source: Source, name: str) -> int:
    path = f"releases/{name}/latest.json"
    try:
        return int(_json(source, path)["version"])
    except MissingFileError as error:
        raise UnknownReleaseError(
            f"no dataset {name!r}: {error}; check the name, and that the address is that of a storage root"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedReleaseError(f"{source.url(path)} names no version; name one, such as {name}@v1") from error


def _version(root: str, source: Source, name: str, number: int) -> Release:
    folder = f"releases/{name}/v{number}"
    try:
        manifest = _manifest(source, f"{folder}/{MANIFEST}")
    except MissingFileError as error:
        raise UnknownReleaseError(
            f"dataset {name} has no version {number}: {error}; its latest is v{_latest(source, name)}"
        ) from error
    return Release(name, number, f"{root}/{folder}", manifest)


def _manifest(source: Source, path: str) -> dict[str, Any]:
    manifest = _json(source, path)
    if not isinstance(manifest, dict) or not {"name", "version", "digest", "rows", "files"} <= manifest.keys():
        raise DamagedReleaseError(f"{source.url(path)} is no manifest of a release; check the address")
    return manifest


def _json(source: Source, path: str) -> Any:
    try:
        return json.loads(read(source, path))
    except ValueError as error:
        raise DamagedReleaseError(
            f"{source.url(path)} is damaged ({error}); restore it from a backup, or take another version"
        ) from error


def _usable(release: Release) -> Release:
    if release.revoked:
        instead = release.revoked["replaced_by"]
        way_out = f"take {release.name}@v{instead} or later" if instead else "there is no version to take instead yet"
        raise RevokedReleaseError(
            f"dataset {release.name} v{release.version} was revoked ({release.revoked['reason']}) and its data files "
            f"are gone; {way_out}"
        )
    return release
