"""What goes wrong between the store and the world, said so that the reader knows what to do next.

Only the translation of driver errors lives here; errors about a record live beside the function that raises
them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

OTHER_URL = "or set FEEDBACK_DATABASE_URL to another database"

WAYS_OUT = (
    ("database is locked", "Another process is writing: wait for it or end it, then try again."),
    ("readonly database", f"Make the file and its folder writable for this user, {OTHER_URL}."),
    (
        "unable to open database file",
        f"Check that its folder exists and is writable for this user, {OTHER_URL}.",
    ),
    ("disk is full", "Free space on that disk, then try again; what was committed is safe."),
    ("no space left", "Free space on that disk, then try again; what was committed is safe."),
    ("not a database", f"Move the file away or restore a backup, {OTHER_URL}."),
    ("malformed", f"Restore a backup of the file, {OTHER_URL}."),
    ("read-only transaction", f"The server only answers reads: use the primary, {OTHER_URL}."),
    ("permission denied", "Grant this user the right to create and write tables there."),
    ("deadlock detected", "Try again."),
    ("password authentication failed", "Correct user and password in FEEDBACK_DATABASE_URL."),
    ("does not exist", "Create the database first, or correct FEEDBACK_DATABASE_URL."),
)
DEFAULT_WAY_OUT = "Check that the database runs and that FEEDBACK_DATABASE_URL points to it."

ALWAYS_ABOUT_THE_STORE = ("not a database", "malformed", "read-only transaction", "permission denied")
"""Drivers file these under other kinds of errors than the rest of ``WAYS_OUT``."""


class StoreUnavailableError(RuntimeError):
    """The store cannot be used right now; the text says which store, why, and the way out."""


def readable_url(url: URL) -> str:
    """Return ``url`` without password and without its query, which may hold another one."""
    return url.set(query={}).render_as_string(hide_password=True)


def unavailable(url: URL, problem: str, way_out: str) -> StoreUnavailableError:
    """Return the error that says ``problem`` about the store at ``url``."""
    return StoreUnavailableError(f"The store {readable_url(url)} is unavailable: {problem}. {way_out}")


@contextmanager
def clear_errors(url: URL) -> Iterator[None]:
    """Raise driver errors about the store as StoreUnavailableError; let those about records through."""
    try:
        yield
    except DBAPIError as error:
        # Postgres adds lines of advice of its own.
        problem = str(error.orig).strip().split("\n")[0].rstrip(".")
        if not _is_about_the_store(error, problem):
            raise
        raise unavailable(url, problem, _way_out(problem)) from error
    except PoolTimeoutError as error:
        raise unavailable(url, "all its connections are in use", "Try again in a moment.") from error


def _is_about_the_store(error: DBAPIError, problem: str) -> bool:
    if isinstance(error, OperationalError | InterfaceError):
        return True
    if isinstance(error, IntegrityError | DataError):
        return False
    return any(sign in problem for sign in ALWAYS_ABOUT_THE_STORE)


def _way_out(problem: str) -> str:
    text = problem.casefold()
    return next((way_out for sign, way_out in WAYS_OUT if sign in text), DEFAULT_WAY_OUT)
