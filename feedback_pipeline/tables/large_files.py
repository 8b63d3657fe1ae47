"""Tables too large for memory: written beside where they belong, batch by batch, and put in place as a whole."""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from feedback_pipeline.tables.files import StorageError, filesystem

_CHUNK_BYTES = 1 << 20


@contextmanager
def written_aside(root: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Path, int]]:
    """Give a Parquet file with the rows of ``batches``, and how many there are; it is removed afterwards.

    Raises:
        StorageError: there is no room for it.
    """
    folder = _folder_beside(root)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as scratch:
        path = Path(scratch) / "table.parquet"
        try:
            rows = _write(path, schema, batches)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}; free space, then run again") from error
        yield path, rows


def _folder_beside(root: str) -> Path | None:
    """Return where a rename is enough to put a file below ``root``; None where that is on no local disk."""
    fs, inner = filesystem(root)
    if not isinstance(fs, LocalFileSystem):
        return None
    Path(inner).mkdir(parents=True, exist_ok=True)
    return Path(inner)


def _write(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    rows = 0
    with path.open("wb") as file:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch.cast(schema))
                rows += batch.num_rows
        file.flush()
        os.fsync(file.fileno())
    return rows


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file as hex, read in parts."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def put_file(path: Path, target: str) -> None:
    """Put a local file at ``target``: renamed on a local disk, else uploaded. Raises StorageError."""
    fs, inner = filesystem(target)
    try:
        if isinstance(fs, LocalFileSystem):
            Path(inner).parent.mkdir(parents=True, exist_ok=True)
            path.replace(inner)
        else:
            fs.put_file(str(path), inner)
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror or error}; free space, then run again") from error
