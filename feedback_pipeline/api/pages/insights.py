"""How well the loop works: numbers, plots, and the numbers behind the plots."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from feedback_pipeline.api.pages.page_route import PageRoute
from feedback_pipeline.api.pages.session import PageReviewer, render
from feedback_pipeline.api.routes.insights import DEFAULT_DAYS, Days, Recent, databases_of
from feedback_pipeline.api.services import Serving
from feedback_pipeline.insight import figures
from feedback_pipeline.insight.words import headlines, in_words, percent, points
from feedback_pipeline.store.counting.scope import Scope
from feedback_pipeline.store.counting.statuses import databases_with_feedback

router = APIRouter(route_class=PageRoute)

PERIODS = (7, 14, 30, 90, 180, 365, 730)


@router.get("/review/insights")
def show_insights(
    request: Request,
    reviewer: PageReviewer,
    services: Serving,
    recent: Recent,
    days: Days = DEFAULT_DAYS,
    database: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """Show the numbers of the last days, of one database or of all that the reviewer may see."""
    numbers = recent.utilisation(services.store, days=days, databases=databases_of(reviewer, database or None))
    with services.store.read() as session:
        known = databases_with_feedback(session, Scope(numbers.as_of, reviewer.databases))
    return render(
        request,
        "insights.html",
        section="insights",
        numbers=numbers,
        days=days,
        periods=sorted({*PERIODS, days}),
        database=database,
        databases=sorted({*known, database} - {""}),
        headlines=headlines(numbers),
        figures=figures.figures(numbers),
        most_used=max((used.queries for used in numbers.uses.top), default=0),
        in_words=in_words,
        percent=percent,
        points=points,
    )
