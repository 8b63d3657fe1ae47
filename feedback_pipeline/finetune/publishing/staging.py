"""A version in the making: files that nobody finds until all of them are there.

On a local disk they gather in a hidden folder that appears by one rename; on an object store they lie in place, and it
is the manifest, written last, that makes them a version. What a crash leaves is swept away by the next publisher.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from feedback_pipeline.tables.files import StorageError, filesystem, sha256, write_bytes, write_json


@dataclass
class StagedVersion:
    """The files of a version that is not published yet.

    Attributes:
        folder: where the version will stand.
        target: where its files gather.
        files: what has been written, as the manifest lists it.
    """

    folder: str
    target: str
    files: list[dict[str, Any]] = field(default_factory=list)

    def write(self, path: str, content: bytes, **more: Any) -> None:
        """Write one file and note it. Raises StorageError."""
        write_bytes(f"{self.target}/{path}", content, durable=False)
        self.files.append({"path": path, "bytes": len(content), "sha256": sha256(content), **more})

    def reuse(self, path: str, former: dict[str, Any], former_folder: str, **more: Any) -> bool:
        """Take over a file of a former version, as a hard link where the disk has them.

        Returns:
            False where it is not what its manifest says; it has to be written anew then.
        """
        source = f"{former_folder}/{former['path']}"
        if not _is_as_noted(source, former):
            return False
        _copy(source, f"{self.target}/{path}")
        self.files.append({"path": path, "bytes": former["bytes"], "sha256": former["sha256"], **more})
        return True

    def publish(self, manifest: dict[str, Any]) -> None:
        """Write the manifest and let the version appear. Raises StorageError."""
        listed = sorted(self.files, key=lambda file: file["path"])
        if self.target != self.folder:
            # All files at once: waiting for the disk file by file takes a fifth of a release.
            os.sync()
        write_json(f"{self.target}/manifest.json", {**manifest, "files": listed})
        if self.target != self.folder:
            _appear(Path(self.target), Path(self.folder))


@contextmanager
def staged(folder: str) -> Iterator[StagedVersion]:
    """Give an empty place for a version; whatever is in it when an error comes is removed again.

    Raises:
        StorageError: the storage cannot be written.
    """
    fs, inner = filesystem(folder)
    local = isinstance(fs, LocalFileSystem)
    target = str(Path(inner).with_name(f".{Path(inner).name}.staging")) if local else folder
    for left_over in {target, folder}:
        sweep(left_over)
    try:
        yield StagedVersion(str(Path(inner)) if local else folder, target)
    except BaseException:
        sweep(target)
        raise


def sweep(folder: str) -> None:
    """Remove what lies where a new version will stand: it has no manifest, or it would be a version."""
    fs, inner = filesystem(folder)
    try:
        if fs.exists(inner):
            fs.rm(inner, recursive=True)
    except OSError as error:
        raise StorageError(f"cannot remove {folder}: {error.strerror or error}; make it writable") from error


def _is_as_noted(path: str, noted: dict[str, Any]) -> bool:
    """Tell whether a file still has the bytes its manifest names: what is damaged must not be handed on."""
    fs, inner = filesystem(path)
    try:
        if not isinstance(fs, LocalFileSystem):
            # Object stores verify what they hold; reading it all back would cost more than sharing saves.
            return fs.size(inner) == noted["bytes"]
        return sha256(Path(inner).read_bytes()) == noted["sha256"]
    except OSError:
        return False


def _copy(source: str, target: str) -> None:
    fs, from_path = filesystem(source)
    _, to_path = filesystem(target)
    try:
        if isinstance(fs, LocalFileSystem):
            _link(Path(from_path), Path(to_path))
        else:
            fs.cp_file(from_path, to_path)
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror or error}; free space, then run again") from error


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        # Not every file system has hard links.
        shutil.copyfile(source, target)


def _appear(staging: Path, folder: Path) -> None:
    try:
        staging.rename(folder)
    except OSError as error:
        raise StorageError(f"cannot publish {folder}: {error.strerror or error}; run again") from error
