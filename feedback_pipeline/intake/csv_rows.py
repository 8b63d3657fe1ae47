"""Rows of a CSV file with a header: RFC 4180, commas, UTF-8 with or without byte order mark."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from feedback_pipeline.intake.rows import InputFileError, Row

MAX_FIELD_CHARS = 16 * 1024 * 1024


def csv_rows(path: Path, content: BinaryIO, offset: Callable[[], int]) -> Iterator[Row]:
    """Yield a dict per record under the header's names. Raises InputFileError for a header that cannot be used."""
    csv.field_size_limit(MAX_FIELD_CHARS)
    peek = getattr(content, "peek", lambda size: b"")
    if peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputFileError(path, "is UTF-16; save it as UTF-8.")
    # surrogateescape: bytes that are not UTF-8 spoil their field, not the rest of the file.
    text = io.TextIOWrapper(content, "utf-8-sig", "surrogateescape", newline="")
    reader = csv.reader(text, strict=True)
    header = _header(path, reader)
    while True:
        number = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(number, offset(), defect=f"is not CSV: {error}", text="")
            continue
        if fields:
            yield _row(number, offset(), header, fields)


def _header(path: Path, reader: Any) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise InputFileError(path, f"its header is not CSV ({error}).") from error
    if len(header) == 1 and header[0].count(";") > 1:
        raise InputFileError(path, "its columns are separated by semicolons; save it with commas.")
    if not any(header):
        raise InputFileError(path, "has no header; its first line has to name the columns.")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputFileError(path, f"its header names {', '.join(twice)} more than once; rename one of them.")
    return header


def _row(number: int, offset: int, header: list[str], fields: list[str]) -> Row:
    if len(fields) == len(header):
        return Row(number, offset, record=dict(zip(header, fields, strict=True)))
    defect = f"has {len(fields)} fields where the header has {len(header)}"
    return Row(number, offset, defect=defect, text=",".join(fields).encode("utf-8", "backslashreplace").decode())
