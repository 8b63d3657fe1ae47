"""Checking that a release is whole: every file as its manifest says, nothing beside them, every row there."""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from feedback_pipeline.finetune.catalog import Release
from feedback_pipeline.finetune.reading.digests import content_digest_of
from feedback_pipeline.finetune.reading.locate import release_at
from feedback_pipeline.finetune.reading.release_files import (
    MANIFEST,
    ReleaseFile,
    configs_of,
    file_sha256,
    files_here,
    pulled_configs,
)
from feedback_pipeline.finetune.reading.sources import MissingFileError, Source, copy, is_http, open_source
from feedback_pipeline.finetune.reading.transfer import Progress, Tally, unwritable
from feedback_pipeline.tables.files import filesystem

ContentDigest = Callable[[Release], str]
"""Returns the digest of what the data files of a release hold."""

_RESTORE = "pull the release again, or restore the file from a backup"
_OTHER = "take another version, and tell its publisher"
_WORKERS = 4


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file, and the way out."""

    path: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class CheckReport:
    """What was found.

    Attributes:
        path: folder or URL that was checked.
        name: of the dataset.
        version: of the release.
        digest: as its manifest says.
        files: how many were checked.
        bytes: their size, as the manifest says.
        rows: row count per config and split, as the manifest says.
        listed: whether unknown files were looked for; a plain HTTP server cannot list a folder.
        digest_checked: whether the digest was computed from the rows.
        problems: all of them, in the order of the files.
    """

    path: str
    name: str
    version: int
    digest: str
    files: int
    bytes: int
    rows: dict[str, dict[str, int]]
    listed: bool
    digest_checked: bool
    problems: list[Problem] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check_release(
    path: str, *, digest: ContentDigest | None = content_digest_of, progress: Progress | None = None
) -> CheckReport:
    """Check the release in a folder or below a URL, in a storage root or pulled.

    A remote one is brought into a temporary folder for it: every byte has to be read anyway.

    Args:
        path: folder of a version, or its URL.
        digest: computes the digest of the rows, where the files are right and all configs are here; None leaves it out.
        progress: called with bytes done and bytes in all.

    Raises:
        UnknownReleaseError: there is no manifest.
        RevokedReleaseError: the version was revoked.
        DamagedReleaseError: the manifest cannot be used.
        SourceError: the source cannot be read.
    """
    release = release_at(path)
    files = files_here(release.manifest, f"{release.path}/{MANIFEST}")
    listing = _listed(release)
    with _local(release, files, progress) as (folder, tally):
        problems = _file_problems(folder, files, tally)
        damaged = {problem.path for problem in problems}
        problems += _row_problems(folder, release, files, damaged)
        problems += _strays(release, files, listing or [])
        computes = digest is not None and not problems and pulled_configs(release.manifest) is None
        if digest is not None and computes:
            problems += _digest_problems(release, folder, digest)
    return CheckReport(
        release.path,
        release.name,
        release.version,
        release.digest,
        len(files),
        sum(file.size for file in files),
        configs_of(release.manifest),
        listing is not None,
        computes,
        problems,
    )


@contextmanager
def _local(release: Release, files: Sequence[ReleaseFile], progress: Progress | None) -> Iterator[tuple[Path, Tally]]:
    """Yield a local folder with the files as they are, however damaged."""
    fs = None if is_http(release.path) else filesystem(release.path)
    size = sum(file.size for file in files)
    if fs and isinstance(fs[0], LocalFileSystem):
        yield Path(fs[1]), Tally(size, progress)
        return
    with tempfile.TemporaryDirectory(prefix="feedback-check-") as name, open_source(release.path) as source:
        tally, folder = Tally(2 * size, progress), Path(name)
        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(lambda file: _bring(source, file, folder / file.path, tally), files))
        yield folder, tally


def _bring(source: Source, file: ReleaseFile, target: Path, tally: Tally) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w+b") as stream:
            copy(source, file.path, stream)
    except MissingFileError:
        target.unlink()
    except OSError as error:
        raise unwritable(target, error) from error
    tally.add(file.size)


def _file_problems(folder: Path, files: Sequence[ReleaseFile], tally: Tally) -> list[Problem]:
    def look(file: ReleaseFile) -> Problem | None:
        wrong = _problem_of(folder / file.path, file)
        tally.add(file.size)
        return Problem(file.path, wrong, _RESTORE) if wrong else None

    with ThreadPoolExecutor(_WORKERS) as pool:
        return [problem for problem in pool.map(look, files) if problem]


def _problem_of(path: Path, file: ReleaseFile) -> str | None:
    """Return what is wrong with a file itself, if anything."""
    try:
        if (size := path.stat().st_size) != file.size:
            return f"has {size} bytes, not {file.size}"
        if (found := file_sha256(path)) != file.sha256:
            return f"was changed: its SHA-256 is {found}, not {file.sha256}"
        rows = pq.read_metadata(path).num_rows if file.path.endswith(".parquet") else None
    except FileNotFoundError:
        return "is missing"
    except (OSError, pa.ArrowException) as error:
        return f"cannot be read: {error}"
    if file.rows is not None and rows != file.rows:
        return f"holds {rows} rows, not {file.rows} as the manifest says"
    return None


def _row_problems(folder: Path, release: Release, files: Sequence[ReleaseFile], damaged: set[str]) -> list[Problem]:
    """Compare row counts per config and split, where all its files are right."""
    paths: dict[tuple[str | None, str | None], list[str]] = defaultdict(list)
    for file in files:
        paths[file.config, file.split].append(file.path)
    problems = []
    for config, rows in configs_of(release.manifest).items():
        for split, wanted in rows.items():
            there = paths[config, split]
            if damaged.isdisjoint(there) and (found := _rows_of(folder, there)) != wanted:
                text = f"{split} of config {config} has {found} rows, not {wanted} as the manifest says"
                problems.append(Problem(MANIFEST, text, _OTHER))
    return problems


def _rows_of(folder: Path, paths: Sequence[str]) -> int:
    return sum(pq.read_metadata(folder / path).num_rows for path in paths)


def _listed(release: Release) -> list[str] | None:
    """Return all paths below a release, or None where they cannot be listed."""
    if is_http(release.path):
        return None
    fs, inner = filesystem(release.path)
    fs.invalidate_cache()
    try:
        return [str(path)[len(inner) :].lstrip("/") for path in fs.find(inner)]
    except PermissionError:  # reading does not imply listing on an object store
        return None


def _strays(release: Release, files: Sequence[ReleaseFile], listing: Sequence[str]) -> list[Problem]:
    """Find files in the folders of configs that nobody published: patterns of README.md would load them."""
    folders = {"data", *release.manifest.get("configs", {})}
    unknown = sorted(set(listing) - {file.path for file in files})
    return [
        Problem(path, "is no file of this release, but would be loaded with it", "move it out of the folder")
        for path in unknown
        if path.split("/")[0] in folders and "/" in path and not path.split("/")[-1].startswith(".")
    ]


def _digest_problems(release: Release, folder: Path, digest: ContentDigest) -> list[Problem]:
    try:
        found = digest(replace(release, path=str(folder)))
    except (ValueError, LookupError, TypeError, OSError, pa.ArrowException) as error:
        return [Problem(MANIFEST, f"its digest cannot be worked out: {error}", _OTHER)]
    if found == release.digest:
        return []
    return [Problem(MANIFEST, f"its digest {release.digest} is not that of the rows, {found}", _OTHER)]
