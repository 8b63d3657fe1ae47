"""What stands around every request, from the outside in. Pure ASGI: nothing is copied or delayed."""

from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from feedback_pipeline.api.auth.guard import ON_BEHALF_OF
from feedback_pipeline.api.middleware.body_size import DeclaredSizeLimit
from feedback_pipeline.api.middleware.callers import Callers
from feedback_pipeline.api.middleware.request_log import REQUEST_ID, RequestLog
from feedback_pipeline.api.middleware.security_headers import SecurityHeaders
from feedback_pipeline.api.middleware.unexpected import UnexpectedErrors
from feedback_pipeline.api.services import Services

SENT_BY_PAGES = ("Authorization", "Content-Type", "Idempotency-Key", ON_BEHALF_OF, REQUEST_ID)
READ_BY_PAGES = ("Retry-After", "Location", REQUEST_ID)


def around(services: Services) -> list[Middleware]:
    """Return what stands around the application, the outermost first."""
    largest = services.settings.api_max_body_bytes
    return [
        Middleware(RequestLog, metrics=services.metrics),
        Middleware(SecurityHeaders),
        Middleware(
            CORSMiddleware,
            allow_origins=origins(services.settings.api_origins),
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=SENT_BY_PAGES,
            expose_headers=READ_BY_PAGES,
        ),
        Middleware(UnexpectedErrors),
        Middleware(DeclaredSizeLimit, largest=largest),
        Middleware(Callers, authenticator=services.authenticator, rate_limits=services.rate_limits),
        # What comes without a declared size is counted while it is read.
        Middleware(RequestBodyLimitMiddleware, max_body_size=largest),
    ]


def origins(listed: str) -> list[str]:
    """Return the web origins of a list separated by commas."""
    return [origin.strip().rstrip("/") for origin in listed.split(",") if origin.strip()]
