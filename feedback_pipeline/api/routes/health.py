"""Whether the server lives and can work, and its numbers; public, because who asks has no token."""

from fastapi import APIRouter, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import text

from feedback_pipeline.api.problems import responses
from feedback_pipeline.api.services import Serving

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """``ok``, or there is a problem document instead."""

    status: str


@router.get("/healthz")
async def alive() -> Health:
    """Say that the server runs, whatever it needs may be away."""
    return Health(status="ok")


@router.get("/readyz", responses=responses(503))
def ready(services: Serving) -> Health:
    """Say whether the store answers; 503 until it does."""
    with services.store.read() as session:
        session.execute(text("SELECT 1"))
    return Health(status="ok")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(services: Serving) -> Response:
    """Return the numbers of this server process for Prometheus: counts alone, no texts and no ids."""
    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)
