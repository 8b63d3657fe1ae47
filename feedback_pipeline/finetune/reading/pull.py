"""Pulling a release: its files into a folder, each verified, continuing what an earlier pull has begun."""

import shutil
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from feedback_pipeline.finetune.catalog import Release
from feedback_pipeline.finetune.reading.destination import Destination, DestinationError
from feedback_pipeline.finetune.reading.locate import locate
from feedback_pipeline.finetune.reading.release_files import MANIFEST, ReleaseFile, file_sha256, of_configs
from feedback_pipeline.finetune.reading.sources import open_source
from feedback_pipeline.finetune.reading.transfer import Progress, Tally, fetch_all, part_of
from feedback_pipeline.tables.files import StorageError

WORKERS = 4
"""Files that are brought at the same time."""


@dataclass(frozen=True)
class PullResult:
    """What a pull has done.

    Attributes:
        name: of the dataset.
        version: the version that lies in ``path`` now.
        path: the folder.
        digest: of the release.
        configs: the configs pulled, None for the whole release.
        downloaded: files brought from the source; ``downloaded_bytes`` came over the wire now, ``resumed_bytes`` had
            come with an earlier, interrupted pull.
        reused: files whose content lay here under another name.
        kept: files that were here already and right.
    """

    name: str
    version: int
    path: str
    digest: str
    configs: list[str] | None
    downloaded: int = 0
    downloaded_bytes: int = 0
    resumed_bytes: int = 0
    reused: int = 0
    reused_bytes: int = 0
    kept: int = 0
    kept_bytes: int = 0


def pull(
    source: str,
    reference: str,
    destination: str | Path,
    *,
    configs: Collection[str] | None = None,
    progress: Progress | None = None,
    workers: int = WORKERS,
) -> PullResult:
    """Bring one version of a dataset into a folder, which then holds it and nothing else of the dataset.

    Pulling again continues, repairs, or does nothing. The folder is a release only while ``manifest.json`` is in it,
    and that comes last.

    Args:
        source: storage root: local folder, fsspec URL such as ``s3://…``, or URL of a plain HTTP server.
        reference: ``NAME``, ``NAME@v3`` or ``NAME@latest``.
        destination: a folder that is new, empty, or holds a version of the same dataset.
        configs: only these, with README.md and the manifest; default: all.
        progress: called with bytes done and bytes in all, from any thread.
        workers: files brought at the same time.

    Raises:
        UnknownReleaseError, UnknownConfigError: no such dataset, version or config.
        RevokedReleaseError: the version was revoked; the text names the one to take.
        DamagedReleaseError: a file is not what the manifest says, or the manifest cannot be used.
        DestinationError: the folder holds something else.
        SourceError: the source cannot be read.
        StorageError: the folder cannot be written, or the disk is full.
    """
    return pull_release(locate(source, reference), destination, configs=configs, progress=progress, workers=workers)


def pull_release(
    release: Release,
    destination: str | Path,
    *,
    configs: Collection[str] | None = None,
    progress: Progress | None = None,
    workers: int = WORKERS,
) -> PullResult:
    """Pull a release that was found; see ``pull``."""
    wanted = of_configs(release.manifest, configs, f"{release.path}/{MANIFEST}")
    manifest = release.manifest if configs is None else release.manifest | {"pulled": {"configs": sorted(set(configs))}}
    target = Destination(Path(destination).expanduser().absolute(), release.name)
    with target.held():
        plan = _plan(target, wanted, workers)
        tally = Tally(sum(file.size for file in wanted), progress)
        tally.add(sum(file.size for file in [*plan.kept, *plan.reused]))
        if not target.holds(manifest) or len(plan.kept) < len(wanted):
            _carry_out(release, target, plan, tally, workers)
            target.finish(manifest, wanted)
    return PullResult(
        release.name,
        release.version,
        str(target.folder),
        release.digest,
        sorted(set(configs)) if configs is not None else None,
        downloaded=len(plan.missing),
        downloaded_bytes=tally.transferred,
        resumed_bytes=tally.resumed,
        reused=len(plan.reused),
        reused_bytes=sum(file.size for file in plan.reused),
        kept=len(plan.kept),
        kept_bytes=sum(file.size for file in plan.kept),
    )


@dataclass(frozen=True)
class _Plan:
    """Wanted files in their place, those that lie elsewhere in the folder (with that path), and those not here."""

    kept: list[ReleaseFile]
    reused: dict[ReleaseFile, str]
    missing: list[ReleaseFile]
    known: set[str]


def _plan(target: Destination, wanted: Sequence[ReleaseFile], workers: int) -> _Plan:
    known = target.known_paths()
    here = _contents(target.folder, known | {file.path for file in wanted}, wanted, workers)
    paths = {sha256: path for path, sha256 in sorted(here.items(), reverse=True)}
    kept = [file for file in wanted if here.get(file.path) == file.sha256]
    elsewhere = {file: paths[file.sha256] for file in wanted if file not in kept and file.sha256 in paths}
    missing = [file for file in wanted if file not in kept and file not in elsewhere]
    return _Plan(kept, elsewhere, missing, known)


def _contents(folder: Path, paths: Iterable[str], wanted: Iterable[ReleaseFile], workers: int) -> dict[str, str]:
    """Return the SHA-256 of the files that may be one of those wanted: any of another size is not."""
    sizes = {file.size for file in wanted}
    candidates = [path for path in paths if (folder / path).is_file() and (folder / path).stat().st_size in sizes]
    try:
        with ThreadPoolExecutor(workers) as pool:
            return dict(zip(candidates, pool.map(lambda path: file_sha256(folder / path), candidates), strict=True))
    except OSError as error:
        raise DestinationError(
            f"{error.filename} cannot be read ({error.strerror}); remove it, or pull elsewhere"
        ) from error


def _carry_out(release: Release, target: Destination, plan: _Plan, tally: Tally, workers: int) -> None:
    target.begin(release.digest, plan.known | {file.path for file in [*plan.kept, *plan.reused, *plan.missing]})
    target.reuse({file.path: path for file, path in plan.reused.items()})
    _refuse_small_disk(target.folder, plan.missing)
    with open_source(release.path) as source:
        fetch_all(source, plan.missing, target.folder, tally, workers)


def _refuse_small_disk(folder: Path, missing: Iterable[ReleaseFile]) -> None:
    parts = {file: part_of(folder / file.path) for file in missing}
    needed = sum(file.size - (part.stat().st_size if part.exists() else 0) for file, part in parts.items())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"{folder} lies on a disk with {free:,} bytes free, and {needed:,} are to come; free space or name a "
            "folder on another disk"
        )
