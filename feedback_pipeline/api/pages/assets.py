"""Style sheet and script of the pages, under addresses that change with their content."""

import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static"

_FOR_EVER = "public, max-age=31536000, immutable"
_LOOK_AGAIN = "public, max-age=0, must-revalidate"


class _VersionedFiles(StaticFiles):
    """Files that may be kept for ever when they were asked for under the version that they have now."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        asked_for = QueryParams(scope["query_string"]).get("v")
        is_current = asked_for is not None and asked_for == version_of(path)
        response.headers["Cache-Control"] = _FOR_EVER if is_current else _LOOK_AGAIN
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


@lru_cache(maxsize=64)
def version_of(name: str) -> str:
    """Return what identifies the content of a file: the first 16 hex digits of its SHA-256. Raises OSError."""
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:16]


def address_of(name: str) -> str:
    """Return the path under which a file of ``static`` is served. Raises OSError for one that is not there."""
    return f"{PREFIX}/{name}?v={version_of(name)}"


def mount_on(router: APIRouter) -> None:
    """Serve the files through ``router``."""
    router.mount(PREFIX, _VersionedFiles(directory=FOLDER), name="static")
