"""``/docs``: what the interface can do, to read and to try, from files of an installed package and no other site."""

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from feedback_pipeline.api.problems import FieldError, Problem

DOCS = "/docs"
ASSETS = "/docs/assets"
FOLDER = Path(fastapi_offline.__file__).parent / "static"

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def add_to(app: FastAPI) -> None:
    """Serve the page and its files from ``app``, and put what FastAPI cannot know into its description."""
    app.mount(ASSETS, StaticFiles(directory=FOLDER), name="docs-assets")
    describe = app.openapi

    @app.get(DOCS, include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(*_page(app.title, request.scope.get("root_path", "").rstrip("/")))

    app.openapi = lambda: _with_problems(describe())


@lru_cache(maxsize=8)
def _page(title: str, prefix: str) -> tuple[str, int, dict[str, str]]:
    """Return the page, its status, and the headers that let it run its one inline script and nothing else."""
    html = bytes(
        get_swagger_ui_html(
            openapi_url=f"{prefix}/openapi.json",
            title=title,
            swagger_js_url=f"{prefix}{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{prefix}{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{prefix}{ASSETS}/favicon.png",
        ).body
    ).decode()
    return html, 200, {"Content-Security-Policy": _policy(html)}


def _policy(html: str) -> str:
    digests = [hashlib.sha256(script.encode()).digest() for script in _INLINE_SCRIPT.findall(html)]
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Add the schema that all declared problems refer to; FastAPI would describe it as plain JSON."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in (Problem, FieldError):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    return document
