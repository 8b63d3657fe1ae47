"""How well the loop works, in numbers."""

import threading
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.auth.guard import ReviewerCaller
from feedback_pipeline.api.documents.json_values import Name
from feedback_pipeline.api.problems import ProblemError, responses
from feedback_pipeline.api.services import Serving
from feedback_pipeline.insight import MOST_DAYS, Utilisation
from feedback_pipeline.insight.recent import RecentUtilisation

router = APIRouter(tags=["insights"])

DEFAULT_DAYS = 90

_creating = threading.Lock()


def _recent(request: Request) -> RecentUtilisation:
    with _creating:
        if not hasattr(request.app.state, "recent_utilisation"):
            request.app.state.recent_utilisation = RecentUtilisation()
    return cast(RecentUtilisation, request.app.state.recent_utilisation)


Recent = Annotated[RecentUtilisation, Depends(_recent)]
"""Parameter of a route or page that shows numbers: one for the whole application."""

Days = Annotated[int, Query(ge=1, le=MOST_DAYS, description="So many UTC days, today included.")]


@router.get("/insights", responses=responses(401, 403, 404))
def insights(
    caller: ReviewerCaller,
    services: Serving,
    recent: Recent,
    days: Days = DEFAULT_DAYS,
    database_id: Annotated[Name | None, Query(description="Only what belongs to this database.")] = None,
) -> Utilisation:
    """Return counts, times and shares of the last days, within the databases the caller may see.

    `docs/insights.md` says how each number is counted. An answer is kept for some seconds, of a large store for longer;
    `as_of` says when it was counted.
    """
    return recent.utilisation(services.store, days=days, databases=databases_of(caller, database_id))


def databases_of(caller: Caller, database_id: str | None) -> frozenset[str] | None:
    """Return what may be counted. Raises ProblemError (404) for a database that ``caller`` may not see."""
    if database_id is None:
        return caller.databases
    if not caller.may_use(database_id):
        raise ProblemError(404, f"There is no database {database_id}.", code="unknown_database")
    return frozenset({database_id})
