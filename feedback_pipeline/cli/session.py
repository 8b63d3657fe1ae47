"""What nearly every command begins with: the settings and the open store."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedback_pipeline.settings import Settings
    from feedback_pipeline.store import Store


@contextmanager
def opened() -> "Iterator[tuple[Settings, Store]]":
    """Yield settings and store, and close the store. Raises StoreUnavailableError or ValidationError."""
    from feedback_pipeline import store
    from feedback_pipeline.settings import get_settings

    settings = get_settings()
    opened_store = store.open_store(settings)
    try:
        yield settings, opened_store
    finally:
        opened_store.close()


def default_reviewer() -> str:
    """Return ``cli:`` and the name of the user at the keyboard."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # no account and no USER variable, as in some containers
        return "cli:unknown"
