"""What a URL says about a database: which engine serves it, and where it is. No text from a URL gets into messages."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from feedback_pipeline.execution.sessions import UnreachableError

ENGINES = {"sqlite": "SQLite", "postgresql": "Postgres", "duckdb": "DuckDB"}


def parsed(url: str) -> URL:
    """Return ``url`` in its parts; a path is the SQLite file there. Raises UnreachableError."""
    try:
        return make_url(url) if "://" in url else URL.create("sqlite", database=url)
    except (ArgumentError, ValueError):
        # Their texts quote the URL, password and all.
        raise UnreachableError("its URL cannot be read: correct it") from None


def engine_name(url: URL) -> str:
    """Return the engine that serves ``url``, as in ENGINES or as the URL spells it."""
    name = url.get_backend_name()
    return "postgresql" if name == "postgres" else name


def is_executable(url: str | None) -> bool:
    """Tell whether SQL can be run on a database with this URL; whether it is there now is another matter."""
    try:
        return url is not None and engine_name(parsed(url)) in ENGINES
    except UnreachableError:
        return True


def file_of(url: URL) -> Path:
    """Return the file of a SQLite or DuckDB database. Raises UnreachableError where there is none."""
    location = (url.database or "").removeprefix("file:").split("?")[0]
    path = Path(location).expanduser()
    if location in ("", ":memory:") or not path.is_file():
        raise UnreachableError("its file does not exist or may not be read: correct its URL")
    return path.resolve()


def without_secrets(text: str, url: URL) -> str:
    """Return the first line of a driver's message without the password or other values of ``url``."""
    line = text.strip().split("\n")[0]
    secrets = [url.password, *(value for values in url.normalized_query.values() for value in values)]
    for secret in sorted(filter(None, map(str, filter(None, secrets))), key=len, reverse=True):
        line = line.replace(secret, "…")
    return line
