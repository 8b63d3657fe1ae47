"""How commands speak: tables for people and JSON for machines on stdout, progress and remarks on stderr."""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from feedback_pipeline.cli.boundary import JSON_WANTED

_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"

WIDTH_OF_FILES = 240
"""Columns where the output is no terminal: nothing that is searched or cut by scripts should be wrapped."""


def _remember(ctx: typer.Context, wanted: bool) -> bool:
    ctx.meta[JSON_WANTED] = wanted
    return wanted


JsonOption = Annotated[bool, typer.Option("--json", callback=_remember, help="Print one JSON document instead.")]
"""The type of every command's ``as_json`` parameter."""


def print_json(document: Any) -> None:
    """Print one JSON document, uncoloured and unwrapped. Times become ISO 8601."""
    text = json.dumps(document, ensure_ascii=False, indent=2, default=_plain)
    # Bytes that are no UTF-8, in the name of a column, say, come here as half of a character pair.
    typer.echo(text.encode("utf-8", "backslashreplace").decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print a table; the first column is never cut. Cells may be anything, None is left blank."""
    table = Table(title=title, title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, no_wrap=number == 0, overflow="ellipsis" if number == 0 else "fold")
    for row in rows:
        table.add_row(*(Text(cell(value)) for value in row))
    stdout().print(table)


def print_fields(fields: dict[str, Any]) -> None:
    """Print names and values below each other."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(Text(name), Text(cell(value)))
    stdout().print(table)


def say(text: str) -> None:
    """Print a line for people on stdout, as it is."""
    stdout().print(Text(cell(text)), soft_wrap=True)


def warn(text: str) -> None:
    """Print a warning to stderr."""
    typer.echo(f"warning: {cell(text)}", err=True)


def cell(value: Any) -> str:
    """Return ``value`` as text that cannot steer the terminal: what users wrote may hold anything."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = value.isoformat(sep=" ", timespec="seconds")
    return "".join(_shown(character) for character in str(value))


def shortened(value: str | None, length: int = 60) -> str | None:
    """Return ``value`` on one line, cut where it is long."""
    text = None if value is None else " ".join(value.split())
    return text if text is None or len(text) <= length else text[: length - 1] + "…"


def stdout() -> Console:
    """Return the console for results, made anew because tests replace the stream."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH_OF_FILES
    return console


@contextmanager
def bytes_progress(title: str, total: int, *, hidden: bool) -> Iterator[Progress]:
    """Show on stderr how many of ``total`` bytes are done; not where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    disable = hidden or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable) as progress:
        progress.add_task(title, total=total)
        yield progress


def _shown(character: str) -> str:
    """Return a sign as it may be printed: what steers the terminal is replaced, what hides or reorders is spelled out.

    The two joiners stay, because scripts and emoji need them.
    """
    category = unicodedata.category(character)
    if category == "Cf" and character not in _JOINERS:
        return f"\\u{{{ord(character):04x}}}"
    return "�" if category in {"Cc", "Cs"} and character not in "\n\t" else character


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
