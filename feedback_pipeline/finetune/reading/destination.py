"""The folder that a release is pulled into: never read as whole while it is not.

While files come and go there is no manifest but a note, ``.pulling.json``, of all that pulls have put here; the
manifest is written last. So a folder without a manifest is no release, and the next pull knows what it may replace.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from feedback_pipeline.finetune.reading.release_files import (
    MANIFEST,
    ReleaseFile,
    files_here,
    pulled_configs,
    safe_path,
)
from feedback_pipeline.finetune.reading.transfer import part_of, unwritable
from feedback_pipeline.tables.files import StorageError, write_json

_OWN = ".pulling."
_NOTE = f"{_OWN}json"
_LOCK = f"{_OWN}lock"
_HINT = ".huggingface.yaml"
"""What ``datasets`` reads instead of the head of README.md, where that names configs that were not pulled."""


class DestinationError(RuntimeError):
    """A folder holds something else, so nothing is pulled into it; the text says what to do."""


class Destination:
    """A folder that is new, empty, or holds a version of the same dataset, whole or half pulled."""

    def __init__(self, folder: Path, name: str):
        self.folder, self._name = folder, name
        self._manifest_path, self._note_path = folder / MANIFEST, folder / _NOTE

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let pulls into the same folder wait for each other.

        Raises:
            DestinationError: the folder holds something else.
            StorageError: it cannot be written.
        """
        if not (self.folder / _LOCK).exists():
            self._refuse_others()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / _LOCK).acquire()
        except OSError as error:
            raise unwritable(self.folder, error) from error
        with lock:
            self._refuse_others()
            yield

    @property
    def manifest(self) -> dict[str, Any] | None:
        """The manifest of what is here whole, or None."""
        return self._read(self._manifest_path)

    def holds(self, manifest: Mapping[str, Any]) -> bool:
        """Tell whether the last pull ended, and was of this manifest."""
        return self.manifest == manifest and not self._note_path.exists()

    def known_paths(self) -> set[str]:
        """Return the files that pulls have put here, or were about to."""
        manifest, note = self.manifest, self._read(self._note_path)
        whole = {file.path for file in files_here(manifest, str(self._manifest_path))} if manifest else set()
        try:
            return whole | {safe_path(path) for path in (note or {}).get("paths", [])}
        except ValueError as error:
            raise DestinationError(f"{self._note_path} cannot be used ({error}); pull into a new folder") from error

    def begin(self, digest: str, paths: Iterable[str]) -> None:
        """Note what will be here and take away the manifest: from now on the folder is not whole."""
        note = self._read(self._note_path)
        known = sorted(paths)
        if note and note.get("digest") != digest:
            self._remove(part_of(self.folder / path) for path in known)
        self._write(self._note_path, {"name": self._name, "digest": digest, "paths": known})
        self._remove([self._manifest_path])

    def reuse(self, pairs: Mapping[str, str]) -> None:
        """Give files that are here the names they have now: ``pairs`` are new path → path of equal content.

        All are linked before the first is renamed, because one may be in the place of another.
        """
        staged = [(_staged(self.folder / new), self.folder / new) for new in pairs]
        try:
            for (temporary, new), old in zip(staged, pairs.values(), strict=True):
                new.parent.mkdir(parents=True, exist_ok=True)
                temporary.unlink(missing_ok=True)
                _link(self.folder / old, temporary)
            for temporary, new in staged:
                temporary.replace(new)
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def finish(self, manifest: Mapping[str, Any], wanted: Sequence[ReleaseFile]) -> None:
        """Remove what belongs to the release no more, then write the manifest: the folder is whole."""
        kept = {file.path for file in wanted}
        for path in sorted(self.known_paths() | kept):
            target = self.folder / path
            self._remove([part_of(target), _staged(target), *([] if path in kept else [target])])
            self._remove_empty(target.parent)
        self._remove([self.folder / _HINT])
        if pulled_configs(manifest) is not None:
            self._write(self.folder / _HINT, {"configs": _hints(manifest, wanted)})
        self._write(self._manifest_path, manifest)
        # Killed pulls may have left what they were writing.
        self._remove([self._note_path, *self.folder.glob(".*.json.*.tmp")])

    def _refuse_others(self) -> None:
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise DestinationError(f"{self.folder} is a file; name a folder to pull into")
        found = self.manifest or self._read(self._note_path)
        if found is not None and found.get("name") != self._name:
            raise DestinationError(
                f"{self.folder} holds dataset {found.get('name')}, not {self._name}; pull into another folder"
            )
        if found is None and any(not path.name.startswith(_OWN) for path in self.folder.iterdir()):
            raise DestinationError(f"{self.folder} is not empty and no pulled release; pull into a new or empty folder")

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            document = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise DestinationError(f"{path} cannot be read ({error}); remove it, or pull into a new folder") from error
        if not isinstance(document, dict):
            raise DestinationError(f"{path} is none of ours; pull into a new or empty folder")
        return document

    def _write(self, path: Path, document: Mapping[str, Any]) -> None:
        try:
            write_json(str(path), document)
        except StorageError as error:
            raise unwritable(path, error) from error

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(path, error) from error

    def _remove_empty(self, folder: Path) -> None:
        if folder != self.folder and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _hints(manifest: Mapping[str, Any], files: Iterable[ReleaseFile]) -> list[dict[str, Any]]:
    paths: dict[str, dict[str, list[str]]] = {}
    for file in files:
        if file.config and file.split:
            paths.setdefault(file.config, {}).setdefault(file.split, []).append(file.path)
    # ``datasets`` takes two folders of one name and equal hints for the same data, whatever lies in them.
    description = f"{manifest['name']} v{manifest['version']}, digest {manifest['digest']}"
    return [
        {
            "config_name": name,
            "description": description,
            "data_files": [{"split": split, "path": some} for split, some in splits.items()],
        }
        for name, splits in paths.items()
    ]


def _staged(target: Path) -> Path:
    return target.with_name(f".{target.name}.reused")


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:  # not every filesystem knows links
        shutil.copy2(old, new)
