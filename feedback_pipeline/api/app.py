"""Puts the application together: services, what stands around every request, routes and pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI

from feedback_pipeline import __version__
from feedback_pipeline.api import docs_page, failures
from feedback_pipeline.api.auth.authenticator import authenticator_from
from feedback_pipeline.api.metrics import remembered
from feedback_pipeline.api.middleware import around
from feedback_pipeline.api.pages import pages
from feedback_pipeline.api.problems import EVERYWHERE, responses
from feedback_pipeline.api.routes import ROUTERS
from feedback_pipeline.api.services import Services
from feedback_pipeline.api.standing import standing
from feedback_pipeline.settings import Settings, get_settings

DESCRIPTION = """Feedback in, what became of it, its review, and verified examples for similar questions.

Send a token with every request. Lists answer with `next_cursor`, which is sent as `cursor` for the next page. Errors
are problem documents (RFC 9457): `code` is for programs, `detail` for people, `request_id` for whoever reads the log.
429 and 503 say in `Retry-After` when to try again; with an `Idempotency-Key` that is safe for what is sent.
"""

STANDING_SECONDS = 5.0
THREADS = 120


def create_app(settings: Settings | None = None, *, development: bool = False) -> FastAPI:
    """Return the application over the store and index that ``settings`` name; default: the environment's.

    Args:
        settings: what to work with.
        development: check tokens with a generated secret where the settings name no key. Only for an application
            that nobody else can reach: ``feedback-pipeline serve`` asks for it on a loopback address alone.

    Raises:
        SigningKeyError: tokens cannot be checked with these settings.
        RateLimitError: a rate limit of the settings cannot be read.

    """
    settings = settings or get_settings()
    services = Services(settings, authenticator_from(settings, development=development))
    services.metrics.collect_from(remembered(lambda: standing(services), STANDING_SECONDS))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Those who write wait for each other; those who only look something up must not wait for a thread behind them.
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        services.warm_up()
        yield
        services.close()

    app = FastAPI(
        title="feedback-pipeline",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        middleware=around(services),
        responses=responses(*EVERYWHERE),
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    failures.register(app)
    docs_page.add_to(app)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(pages)
    return app


def development_app() -> FastAPI:
    """Return the application as ``feedback-pipeline serve`` starts it in worker processes on a loopback address."""
    return create_app(development=True)
