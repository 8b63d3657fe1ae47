"""What every route that takes something in has in common: whose it is, which database, and once for the same key."""

import hashlib
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.documents.feedback import NEITHER
from feedback_pipeline.api.problems import ProblemError
from feedback_pipeline.intake.validation import RowError
from feedback_pipeline.store import KeyReusedError, OtherDatabaseError, Speaker, Store

REPLAYED = "Idempotent-Replayed"

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern="^[ -~]*$",
        description="The same key and content again are stored once: send it with every retry. Keys of different "
        "callers do not meet, and a key is good as long as what it brought is stored.",
    ),
]


class FeedbackRoute(APIRoute):
    """Says what is wrong with a rating or a correction in the sender's words, not in those of the union of both."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that FastAPI makes, with the places of errors put right."""
        handle = super().get_route_handler()

        async def with_plain_errors(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise RequestValidationError([_plain(one) for one in error.errors()]) from error

        return with_plain_errors


def _plain(error: dict[str, Any]) -> dict[str, Any]:
    match error["loc"]:
        case ("body", "rating" | "correction", field, *rest):
            return {**error, "loc": ("body", field, *rest)}
        case ("body",) if error["type"] == "missing":
            return {**error, "msg": NEITHER}
        case _:
            return error


def user_of(caller: Caller) -> str | None:
    """Return the raw id of the user who speaks; None where a backend does not say for whom."""
    return None if caller.acts_for_users else caller.subject


def known_user_of(caller: Caller) -> str:
    """Return the raw id of the user a request is about. Raises ProblemError where a backend does not say who it is."""
    user_id = user_of(caller)
    if user_id is None:
        detail = "This concerns one user: name them in the header On-Behalf-Of."
        raise ProblemError(422, detail, code="on_behalf_of_missing")
    return user_id


def speaker_of(caller: Caller, store: Store) -> Speaker:
    """Return for whom answers have to exist."""
    user_id = user_of(caller)
    return Speaker(None if user_id is None else store.hash_user(user_id), caller.databases)


def client_key_of(caller: Caller, store: Store, key: str | None) -> str | None:
    """Return under which key the store keeps what a caller sends with an Idempotency-Key: nobody else has the same."""
    if key is None:
        return None
    scoped = f"{store.hash_user(caller.subject)}\0{key}"
    return f"http:{hashlib.sha256(scoped.encode()).hexdigest()}"


def require_database(caller: Caller, database_id: str | None) -> None:
    """Raise ProblemError (404) for a database that is not the caller's."""
    if not caller.may_use(database_id):
        raise ProblemError(404, "There is no such database among those of this caller.", code="unknown_database")


@contextmanager
def refusals() -> Iterator[None]:
    """Answer 422 where a value cannot be kept or a key was used for something else."""
    try:
        yield
    except RowError as error:
        raise _invalid(error.field or "body", error.reason) from error
    except OtherDatabaseError as error:
        raise _invalid("database_id", str(error)) from error
    except KeyReusedError as error:
        raise ProblemError(422, str(error), code="idempotency_key_reused") from error


def _invalid(field: str, message: str) -> ProblemError:
    detail = "The request is not as described; errors names the fields."
    return ProblemError(422, detail, code="invalid_request", errors=[{"field": field, "message": message}])
