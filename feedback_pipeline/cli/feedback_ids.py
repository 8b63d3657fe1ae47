"""Ids as people type them: whole, or the first characters of one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from feedback_pipeline.cli.boundary import UserError

if TYPE_CHECKING:
    from feedback_pipeline.store import Decision, Store

ID_CHARS = 36
MIN_CHARS = 8
MATCHES_SHOWN = 3


class AmbiguousIdError(UserError):
    """Several feedback begin with what was typed."""


def resolve_id(store: "Store", typed: str) -> str:
    """Return the id of the one feedback that begins with ``typed``.

    Raises UnknownFeedbackError or AmbiguousIdError, and a usage error for less than 8 characters.
    """
    from sqlalchemy import select

    from feedback_pipeline.store import UnknownFeedbackError
    from feedback_pipeline.store.models import FeedbackRow

    start = typed.strip().lower()
    if len(start) < MIN_CHARS:
        raise typer.BadParameter(f"{typed!r} is too short: give at least {MIN_CHARS} characters.", param_hint="ID")
    if len(start) >= ID_CHARS:
        return start
    matching = FeedbackRow.feedback_id.startswith(start, autoescape=True)
    query = select(FeedbackRow.feedback_id).where(matching).order_by(FeedbackRow.feedback_id)
    with store.read() as session:
        found = list(session.scalars(query.limit(MATCHES_SHOWN + 1)))
    if not found:
        raise UnknownFeedbackError(typed)
    if len(found) > 1:
        shown = ", ".join(found[:MATCHES_SHOWN]) + (" …" if len(found) > MATCHES_SHOWN else "")
        raise AmbiguousIdError(f"Several feedback begin with {typed}: {shown}. Give more characters.")
    return found[0]


def resolve_ids(store: "Store", typed: Iterable[str]) -> "tuple[list[str], list[Decision]]":
    """Return the ids that were found, each once, and a decision for each text that names no single feedback."""
    from feedback_pipeline.store import Decision, UnknownFeedbackError

    found: dict[str, None] = {}
    failed: list[Decision] = []
    for text in typed:
        try:
            found[resolve_id(store, text)] = None
        except UnknownFeedbackError as error:
            failed.append(Decision(text, "unknown", str(error)))
        except AmbiguousIdError as error:
            failed.append(Decision(text, "refused", str(error)))
    return list(found), failed
