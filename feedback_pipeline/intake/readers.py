"""Rows from files: JSON Lines, JSON lists, CSV and Parquet, the text formats also as ``.gz``.

Files are streamed, never held whole. A row that cannot be read is handed on as a defect and the next one follows;
only what is wrong with a file as a whole stops. What a row means is none of this module's business.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from feedback_pipeline.intake.csv_rows import csv_rows
from feedback_pipeline.intake.json_lists import list_rows
from feedback_pipeline.intake.rows import InputFileError, Row

MAX_LINE_BYTES = 16 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
ROWS_PER_BATCH = 1_000

TextReader = Callable[[Path, BinaryIO, Callable[[], int]], Iterator[Row]]


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of ``path`` in order. Raises InputFileError, at the latest where the file breaks off."""
    check_readable(path)
    if _suffix(path) == ".parquet":
        yield from _parquet_rows(path)
        return
    with _readable(path), path.open("rb") as file:
        content = gzip.GzipFile(fileobj=file) if path.suffix.lower() == ".gz" else file
        yield from TEXT_READERS[_suffix(path)](path, content, file.tell)  # pyright: ignore[reportArgumentType]


def check_readable(path: Path) -> None:
    """Raise InputFileError unless ``path`` is a file of a known format."""
    if path.is_dir():
        raise InputFileError(path, "is a folder; name the files in it.")
    if not path.is_file():
        raise InputFileError(path, "there is no such file.")
    if _suffix(path) not in {*TEXT_READERS, ".parquet"}:
        known = ", ".join([*TEXT_READERS, ".parquet"])
        raise InputFileError(path, f"its format is not known by its name; use one of {known} (text formats also .gz).")


def _suffix(path: Path) -> str:
    name = path.name.lower()
    compressed = name.endswith(".gz")
    suffix = Path(name.removesuffix(".gz")).suffix
    return "" if compressed and suffix == ".parquet" else suffix


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say what is wrong with a file that cannot be read to its end."""
    again = "rows before that point are stored; repair the file and import it again."
    try:
        yield
    except EOFError as error:
        raise InputFileError(path, f"the compressed file is cut short: {again}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputFileError(path, f"is not a sound gzip file ({error}): {again}") from error
    except OSError as error:
        raise InputFileError(path, f"cannot be read ({error.strerror or error}).") from error


def _jsonl_rows(path: Path, content: BinaryIO, offset: Callable[[], int]) -> Iterator[Row]:
    for number, line in enumerate(_lines(content), start=1):
        if number == 1:
            _refuse_utf16(path, line)
            line = line.removeprefix(BOM)
        if line is _TOO_LONG:
            yield Row(number, offset(), defect=f"the line is longer than {MAX_LINE_BYTES:,} bytes", text="")
        elif line.strip():
            yield _json_row(number, offset(), line)


_TOO_LONG = b"(too long)"


def _lines(content: BinaryIO) -> Iterator[bytes]:
    """Yield lines; of one that is too long to hold only the marker ``_TOO_LONG``."""
    while line := content.readline(MAX_LINE_BYTES):
        if len(line) < MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = content.readline(MAX_LINE_BYTES)
        yield _TOO_LONG


def _refuse_utf16(path: Path, start: bytes) -> None:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputFileError(path, "is UTF-16; save it as UTF-8.")


def _json_row(number: int, offset: int, line: bytes) -> Row:
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
        return Row(number, offset, defect=f"is not UTF-8 (byte {error.start + 1} of the line)", text=text)
    try:
        record = json.loads(text)
    except RecursionError:
        return Row(number, offset, defect="is nested too deeply", text=text)
    except ValueError as error:  # JSONDecodeError, and numbers of more digits than Python converts
        return Row(number, offset, defect=f"is not JSON: {error}", text=text)
    return as_object(number, offset, record, text)


def as_object(number: int, offset: int, value: Any, text: str | None = None) -> Row:
    """Return the row that ``value`` is, or the defect that it is not an object."""
    if isinstance(value, dict):
        return Row(number, offset, record=value, text=text)
    defect = f"is a JSON {type(value).__name__}, expected an object"
    return Row(number, offset, defect=defect, text=text if text is not None else json.dumps(value))


def _json_list_rows(path: Path, content: BinaryIO, offset: Callable[[], int]) -> Iterator[Row]:
    for number, value in enumerate(list_rows(path, content), start=1):
        yield as_object(number, offset(), value)


TEXT_READERS: dict[str, TextReader] = {
    ".jsonl": _jsonl_rows,
    ".ndjson": _jsonl_rows,
    ".json": _json_list_rows,
    ".csv": csv_rows,
}


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield from _batch_rows(file.iter_batches(ROWS_PER_BATCH), path.stat().st_size, file.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise InputFileError(path, f"is not a sound Parquet file ({error}).") from error


def _batch_rows(batches: Iterable[Any], size: int, total: int) -> Iterator[Row]:
    number = 0
    for batch in batches:
        for record in _in_microseconds(batch).to_pylist():
            number += 1
            yield Row(number, offset=size * number // total, record=record)


def _in_microseconds(batch: Any) -> Any:
    """Bring timestamps to what Python's datetime holds, whatever unit the file uses."""
    import pyarrow as pa

    fields = [
        field.with_type(pa.timestamp("us", tz=field.type.tz)) if pa.types.is_timestamp(field.type) else field
        for field in batch.schema
    ]
    columns = [column.cast(field.type, safe=False) for column, field in zip(batch.columns, fields, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
