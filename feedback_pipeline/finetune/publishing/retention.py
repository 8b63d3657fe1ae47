"""Which versions of a dataset keep their data: the newest ones, pinned ones, and those that models were trained on.

The others are retired: like a revoked version, each keeps its manifest, which says why and what to take instead.
Nothing that later releases need goes with them: what is known of the splits of rows stands in the newest version.
"""

from collections.abc import Iterable, Set
from typing import Any

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog, UnknownReleaseError
from feedback_pipeline.tables.files import StorageError, filesystem, read_json, write_bytes, write_json
from feedback_pipeline.tables.publishing import only_publisher

RETENTION = "retention"
"""``kind`` in the note of a version that was retired; the note of an erasure has none."""

_LEFT = {"manifest.json", "README.md"}


class DamagedPinsError(RuntimeError):
    """The list of pinned versions cannot be read; the text names it."""


def is_retired(release: Release) -> bool:
    """Tell whether the data of a version went because of its age, and not because somebody was erased."""
    return (release.revoked or {}).get("kind") == RETENTION


def pinned(catalog: ReleaseCatalog, name: str) -> dict[int, str | None]:
    """Return the pinned versions of a dataset in order, each with the reason that was given.

    Raises:
        DamagedPinsError: ``pins.json`` cannot be read.
    """
    path = _pins_path(catalog, name)
    try:
        document = read_json(path)
        if document is None:
            return {}
        reasons = document.get("reasons", {})
        return {int(version): reasons.get(str(version)) for version in sorted(document["pinned"])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedPinsError(f'{path} is damaged; restore it, or write {{"pinned": [1, 2]}} into it') from error


def pin(catalog: ReleaseCatalog, reference: str, reason: str | None = None) -> Release:
    """Keep the data of a version for good, or until it is unpinned. Again changes at most the reason.

    Args:
        catalog: where the version lies.
        reference: with the version, such as ``text2sql@v3``; ``text2sql`` pins what is the latest now.
        reason: why, for who looks later.

    Raises:
        UnknownReleaseError: no such name or version.
        RevokedReleaseError: its data is gone already.
        StorageError: the storage cannot be written.
    """
    name = catalog.look_up(reference).name
    with only_publisher(f"{catalog.root}/{name}"):
        release = catalog.find(reference)
        pins = pinned(catalog, name)
        _write_pins(catalog, name, {**pins, release.version: reason or pins.get(release.version)})
    return release


def unpin(catalog: ReleaseCatalog, reference: str) -> bool:
    """Let a version go with its age again; return whether it was pinned.

    Raises:
        UnknownReleaseError: no such name or version.
        StorageError: the storage cannot be written.
    """
    release = catalog.look_up(reference)
    with only_publisher(f"{catalog.root}/{release.name}"):
        pins = pinned(catalog, release.name)
        if release.version not in pins:
            return False
        _write_pins(
            catalog, release.name, {version: why for version, why in pins.items() if version != release.version}
        )
    return True


def surplus(catalog: ReleaseCatalog, name: str, keep: int, protected: Set[int] = frozenset()) -> list[Release]:
    """Return the versions that ``prune`` would retire, in order.

    Raises:
        UnknownReleaseError: no such dataset.
        DamagedReleaseError, DamagedPinsError: what says which versions there are cannot be read.
    """
    _known(catalog, name)
    held = [release for release in catalog.releases(name) if not release.revoked]
    if not keep or len(held) <= keep:
        return []
    latest = catalog.latest(name)
    kept = {*pinned(catalog, name), *protected, latest.version if latest else 0}
    return [release for release in held[:-keep] if release.version not in kept]


def prune(catalog: ReleaseCatalog, name: str, keep: int, protected: Set[int] = frozenset()) -> list[int]:
    """Remove the data of old versions of a dataset, finish what a crash has left, and return what was retired.

    Takes the lock of publishers, so it must not be called by one who holds it.

    Args:
        catalog: where the versions lie.
        name: of the dataset, such as ``text2sql``.
        keep: how many of the newest versions keep their data; 0 keeps all.
        protected: versions that keep theirs whatever their age, such as those that models were trained on.

    Raises:
        UnknownReleaseError: no such dataset.
        DamagedReleaseError, DamagedPinsError: what says which versions there are cannot be read; nothing is removed.
        StorageError: the storage cannot be written; calling again finishes it.
    """
    _known(catalog, name)
    with only_publisher(f"{catalog.root}/{name}"):
        retired = surplus(catalog, name, keep, protected)
        instead = catalog.newest(name)
        for release in retired:
            _retire(catalog, release, keep, instead.version if instead else None)
        for release in catalog.releases(name):
            if release.revoked:
                remove_data(release)
    return [release.version for release in retired]


def remove_data(release: Release) -> None:
    """Remove all files of a version but its manifest and its card; those gone already are no matter.

    Raises:
        StorageError: a file cannot be removed.
    """
    fs, inner = filesystem(release.path)
    try:
        for path in _paths_to_remove(fs.ls(inner, detail=False)):
            fs.rm(path, recursive=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(
            f"cannot remove the data of {release.path}: {error.strerror or error}; make it writable, then run again"
        ) from error


def _known(catalog: ReleaseCatalog, name: str) -> None:
    if name not in (names := catalog.names()):
        raise UnknownReleaseError(f"no dataset {name!r}; released datasets: {', '.join(names) or 'none yet'}")


def _paths_to_remove(paths: Iterable[Any]) -> list[str]:
    found = (str(path).rstrip("/") for path in paths)
    return sorted(path for path in found if path.rsplit("/", 1)[-1] not in _LEFT)


def _retire(catalog: ReleaseCatalog, release: Release, keep: int, instead: int | None) -> None:
    """Say it first; the files go then, so nobody finds files missing without a word."""
    note = {"reason": f"retention, keep {keep}", "kind": RETENTION, "replaced_by": instead}
    catalog.write_manifest(release, {**release.manifest, "revoked": note})
    card = f"# {release.name} v{release.version}: retired\n\nReason: {note['reason']}. Its data files are gone; take "
    write_bytes(f"{release.path}/README.md", f"{card}v{instead} or later.\n".encode())


def _pins_path(catalog: ReleaseCatalog, name: str) -> str:
    return f"{catalog.root}/{name}/pins.json"


def _write_pins(catalog: ReleaseCatalog, name: str, pins: dict[int, str | None]) -> None:
    document: dict[str, Any] = {"pinned": sorted(pins)}
    if reasons := {str(version): reason for version, reason in pins.items() if reason}:
        document["reasons"] = reasons
    write_json(_pins_path(catalog, name), document)
