"""The JSON interface: one module per concern, each with a ``router``."""

from fastapi import APIRouter

from feedback_pipeline.api.routes import examples, feedback, health, insights, interactions, review, status, widget

ROUTERS: tuple[APIRouter, ...] = (
    # ``status`` has /feedback/{id}; the fixed paths below /feedback must be found before it.
    feedback.router,
    interactions.router,
    examples.router,
    review.router,
    insights.router,
    widget.router,
    status.router,
    health.router,
)
