"""Opening a release for training: as ``datasets``, pandas or Arrow, wherever it lies.

What lies on an object store or a server is pulled into a cache on this machine first, one config at a time.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.implementations.local import LocalFileSystem

from feedback_pipeline.finetune.catalog import DamagedReleaseError, Release, UnknownReleaseError
from feedback_pipeline.finetune.content.rows import SPLITS
from feedback_pipeline.finetune.reading.locate import locate, release_at
from feedback_pipeline.finetune.reading.release_files import (
    MANIFEST,
    ReleaseFile,
    UnknownConfigError,
    configs_of,
    files_here,
)
from feedback_pipeline.finetune.reading.sources import is_http
from feedback_pipeline.tables.files import filesystem

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class MissingLibraryError(RuntimeError):
    """A library that loads data is not installed; the text says how to install it."""


def open_release(name: str, version: str | int | None = None, root: str | Path | None = None) -> "OpenedRelease":
    """Open a version of a dataset.

    Args:
        name: of the dataset, with ``@v4`` if you like; or the path of a folder that a release was pulled into.
        version: ``"v4"``, ``4`` or ``"latest"``; default: the latest.
        root: storage root (folder, ``s3://…``, URL of a plain HTTP server) or the folder of a pulled release;
            default: ``FEEDBACK_STORAGE_ROOT``.

    Raises:
        UnknownReleaseError: no such dataset or version.
        RevokedReleaseError: the version was revoked; the text names the one to take.
        DamagedReleaseError: its manifest cannot be read.
        SourceError: the root cannot be read.

    Example:
        >>> release = open_release("text2sql", version="v4")
        >>> release.load("sft")["train"]
    """
    reference = name if version is None else f"{name}@{version}"
    if root is None and _is_path(name):
        return OpenedRelease(_demanded(release_at(_plain(name)), None, version))
    place = _root() if root is None else _plain(str(root))
    if not is_http(place) and _is_version_folder(place):
        own, _, asked = reference.partition("@")
        return OpenedRelease(_demanded(release_at(place), own, asked or None))
    return OpenedRelease(locate(place, reference))


class OpenedRelease:
    """One version of a dataset, ready to be loaded. Nothing is read or brought here before it is asked for."""

    def __init__(self, release: Release):
        self._release = release
        self._folders: dict[str, Path] = {}

    def __repr__(self) -> str:
        return f"OpenedRelease({self.name!r}, version={self.version}, path={self.path!r})"

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self._release.name

    @property
    def version(self) -> int:
        """The version, counted from 1."""
        return self._release.version

    @property
    def path(self) -> str:
        """Where the release lies: folder or URL."""
        return self._release.path

    @property
    def digest(self) -> str:
        """SHA-256 of the content: write it beside what you train."""
        return self._release.digest

    @property
    def manifest(self) -> dict[str, Any]:
        """All that is known about the release."""
        return self._release.manifest

    @property
    def rows(self) -> dict[str, int]:
        """Row count per split of the config ``default``."""
        return dict(self._release.rows)

    @property
    def configs(self) -> dict[str, dict[str, int]]:
        """Row count per split of each config that is here."""
        return configs_of(self._release.manifest)

    def splits(self, config: str = "default") -> list[str]:
        """Return the splits of a config that have rows, from train to test.

        Raises:
            UnknownConfigError: no such config.
        """
        return _in_order(file.split or "" for file in self._files_of(config, None))

    def files(self, config: str = "default", split: str | None = None) -> list[Path]:
        """Return the Parquet files of a config on this machine, in the order of their rows.

        Raises:
            UnknownConfigError: no such config, or it has no such split.
            DamagedReleaseError: a file is missing, or of another size than the manifest says.
            SourceError, StorageError: it cannot be brought into the cache.
        """
        return [path for paths in self._files_by_split(config, split).values() for path in paths]

    def load(self, config: str = "default", split: str | None = None, streaming: bool = False) -> Any:
        """Return a config as ``datasets.DatasetDict``, or one split of it as ``datasets.Dataset``.

        With ``streaming`` they are ``IterableDatasetDict`` and ``IterableDataset``. A split without rows is not in it.

        Raises:
            MissingLibraryError: ``datasets`` is not installed.
            UnknownConfigError, DamagedReleaseError, SourceError, StorageError: see ``files``.
        """
        library = _datasets()
        files = {part: [str(path) for path in paths] for part, paths in self._files_by_split(config, split).items()}
        if not files:
            return library.IterableDatasetDict() if streaming else library.DatasetDict()
        if not any(self.rows.values()):
            # ``datasets`` cannot read Parquet without rows.
            empty = {part: library.Dataset(_table(Path(paths[0]), None)) for part, paths in files.items()}
            return empty[split] if split else library.DatasetDict(empty)
        # The name is part of where ``datasets`` caches: without the digest it trusts the times of files.
        cached_as = f"{self.name}-{config}-{self.digest[:16]}"
        return library.load_dataset("parquet", cached_as, data_files=files, split=split, streaming=streaming)

    def to_arrow(self, config: str = "default", split: str | None = None) -> "pa.Table":
        """Return a config as one table; with a column ``split`` where all splits are asked for.

        Raises:
            UnknownConfigError, DamagedReleaseError, SourceError, StorageError: see ``files``.
        """
        import pyarrow as pa

        parts = self._files_by_split(config, split)
        tables = [_table(path, None if split else part) for part, paths in parts.items() for path in paths]
        return pa.concat_tables(tables) if tables else pa.table({})

    def to_pandas(self, config: str = "default", split: str | None = None) -> "pd.DataFrame":
        """Return a config as a data frame; see ``to_arrow``."""
        return self.to_arrow(config, split).to_pandas()

    def _files_by_split(self, config: str, split: str | None) -> dict[str, list[Path]]:
        files = self._files_of(config, split)
        if not files:
            return {}
        folder = self._local_folder(config)
        _refuse_damaged(folder, files)
        splits = dict.fromkeys(file.split or "" for file in files)
        return {name: [folder / file.path for file in files if file.split == name] for name in _in_order(splits)}

    def _files_of(self, config: str, split: str | None) -> list[ReleaseFile]:
        if config not in self.configs:
            raise UnknownConfigError(f"{self._title} has no config {config!r} here; it has {', '.join(self.configs)}")
        files = [file for file in files_here(self.manifest, f"{self.path}/{MANIFEST}") if file.config == config]
        if split is None:
            return files
        if not (found := [file for file in files if file.split == split]):
            there = ", ".join(_in_order(file.split or "" for file in files)) or "no rows at all"
            raise UnknownConfigError(f"config {config} of {self._title} has no rows in split {split!r}; it has {there}")
        return found

    def _local_folder(self, config: str) -> Path:
        if config not in self._folders:
            self._folders[config] = _here(self.path) or self._cached(config)
        return self._folders[config]

    def _cached(self, config: str) -> Path:
        from feedback_pipeline.finetune.reading.pull import pull_release

        folder = _cache() / f"{self.name}-v{self.version}-{self.digest[:16]}" / config
        return Path(pull_release(self._release, folder, configs=[config]).path)

    @property
    def _title(self) -> str:
        return f"{self.name} v{self.version}"


def _refuse_damaged(folder: Path, files: Iterable[ReleaseFile]) -> None:
    for file in files:
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.size:
            raise DamagedReleaseError(
                f"{path} is missing or not {file.size} bytes long; 'feedback-pipeline dataset check {folder}' lists "
                "all that is wrong, and pulling again repairs what was pulled"
            )


def _in_order(splits: Iterable[str]) -> list[str]:
    return sorted(set(splits), key=lambda split: (SPLITS.index(split) if split in SPLITS else len(SPLITS), split))


def _table(path: Path, split: str | None) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise DamagedReleaseError(f"{path} cannot be read ({error}); restore it, or pull the release again") from error
    return table if split is None else table.append_column("split", pa.array([split] * table.num_rows, pa.string()))


def _datasets() -> Any:
    from feedback_pipeline.settings import set_library_defaults

    set_library_defaults()
    try:
        import datasets
    except ImportError as error:
        raise MissingLibraryError(
            f"loading needs 'datasets' ({error}): pip install 'feedback-pipeline[trainer]'; to_pandas() and to_arrow() "
            "do without"
        ) from error
    return datasets


def _root() -> str:
    from feedback_pipeline.settings import get_settings

    return get_settings().storage_root


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "feedback-pipeline" / "releases"


def _here(path: str) -> Path | None:
    """Return the folder of a release on this machine, None where it is elsewhere."""
    if is_http(path):
        return None
    fs, inner = filesystem(path)
    return Path(inner) if isinstance(fs, LocalFileSystem) else None


def _plain(root: str) -> str:
    return root if "://" in root else str(Path(root).expanduser().resolve())


def _is_path(name: str) -> bool:
    return "/" in name or os.sep in name or name.startswith((".", "~"))


def _is_version_folder(root: str) -> bool:
    folder = _here(root)
    return folder is not None and (folder / MANIFEST).is_file()


def _demanded(release: Release, name: str | None, version: str | int | None) -> Release:
    """Return the release of a folder, if it is the one that was asked for."""
    asked = str(version if version is not None else "latest").removeprefix("v")
    if name not in (None, release.name) or asked not in ("latest", str(release.version)):
        raise UnknownReleaseError(
            f"{release.path} holds {release.name} v{release.version}, not {name or release.name} v{asked}; pull that "
            "version, or name another folder"
        )
    return release
