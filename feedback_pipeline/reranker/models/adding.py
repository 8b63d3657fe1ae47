"""Writing one version of the reranker: its files are copied aside, and appear all at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from feedback_pipeline.finetune.publishing.staging import StagedVersion, staged
from feedback_pipeline.reranker.models.model import FOLDER, sha256_of
from feedback_pipeline.tables.files import StorageError, filesystem


def write_version(folder: str, files_folder: Path, documents: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Publish the files of a model, and documents beside it, as the version ``folder``. The caller is the only one.

    Raises:
        StorageError: the storage cannot be written; nothing of the version is to be seen then.
    """
    with staged(folder) as stage:
        for path in sorted(path for path in files_folder.rglob("*") if path.is_file()):
            _copy(path, stage, f"{FOLDER}/{path.relative_to(files_folder).as_posix()}")
        for path, content in sorted(documents.items()):
            stage.write(path, content)
        stage.publish(dict(manifest))


def _copy(source: Path, stage: StagedVersion, path: str) -> None:
    """Copy a file of any size into a version. Raises StorageError."""
    target = f"{stage.target}/{path}"
    fs, inner = filesystem(target)
    try:
        if isinstance(fs, LocalFileSystem):
            Path(inner).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, inner)
        else:
            fs.put_file(os.fspath(source), inner)
    except OSError as error:
        raise StorageError(
            f"cannot write {target}: {error.strerror or error}; free space or set FEEDBACK_STORAGE_ROOT to a folder "
            "that can be written, then run again: what is in production is untouched"
        ) from error
    stage.files.append({"path": path, "bytes": source.stat().st_size, "sha256": sha256_of(os.fspath(source))})
