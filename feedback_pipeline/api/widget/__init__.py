"""The rating widget: one script without dependencies, put together from small sources, and a page that shows it."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_PARTS = (
    # The order of reading. Only ``page`` does anything when it is loaded; the rest are declarations.
    "labels",
    "configuration",
    "requests",
    "memory",
    "elements",
    "messages",
    "rating",
    "correction",
    "badge",
    "widget",
    "page",
)
_ONCE = """"use strict";

if (window.FeedbackWidget) {
  window.FeedbackWidget.configure({ ...document.currentScript?.dataset });
} else {
(() => {
%s})();
}
"""
_MEDIA_TYPES = {"js": "text/javascript", "css": "text/css", "html": "text/html"}


@dataclass(frozen=True)
class Asset:
    """A file for browsers. ``etag`` follows from the content."""

    content: bytes
    media_type: str
    etag: str


@cache
def widget_script() -> Asset:
    """Return the widget. A page that includes it twice runs it once, with the attributes of both elements."""
    sources = [_source("script", f"{part}.js") for part in _PARTS]
    styles = f"const STYLES = {json.dumps(_source('script', 'style.css'))};\n"
    body = "\n".join([styles, *sources])
    return _asset(_ONCE % body, "js")


@cache
def demo_asset(name: str) -> Asset:
    """Return a file of the demo page, such as ``demo.css``."""
    return _asset(_source("demo", name), name.rpartition(".")[2])


def _source(folder: str, name: str) -> str:
    return files(__name__).joinpath(folder, name).read_text(encoding="utf-8")


def _asset(text: str, kind: str) -> Asset:
    content = text.encode()
    return Asset(content, f"{_MEDIA_TYPES[kind]}; charset=utf-8", f'"{hashlib.sha256(content).hexdigest()[:16]}"')
