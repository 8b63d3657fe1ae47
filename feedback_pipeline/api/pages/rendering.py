"""Turns templates into answers: everything escaped, nothing undefined, no file from elsewhere.

What browsers may do with pages is said around all answers, by ``middleware.security_headers``.
"""

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from feedback_pipeline import __version__
from feedback_pipeline.api.pages import assets, evidence, highlighting, texts


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(asset=assets.address_of, version=__version__)
    environment.filters.update(
        **texts.FILTERS,
        answer_in_short=evidence.answer_in_short,
        cell=evidence.cell,
        check_in_words=evidence.check_in_words,
        failure_in_words=evidence.failure_in_words,
        flag_in_words=evidence.flag_in_words,
        meaning_of=evidence.meaning_of,
        no_sample=evidence.no_sample,
        sql_lines=highlighting.highlighted,
        worth=evidence.worth_in_words,
    )
    return environment


_TEMPLATES = _environment()


def fill(template: str, **context: Any) -> str:
    """Return ``template`` filled with ``context``; every value is escaped unless it is Markup."""
    return _TEMPLATES.get_template(template).render(**context)


def render_page(
    request: Request, template: str, status: int = 200, headers: dict[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """Return a page that knows who is signed in, if anybody is.

    Args:
        request: what is answered; ``session`` and ``flash`` are taken from its state where they were put there.
        template: name of a file in ``templates``.
        status: of the answer.
        headers: of the answer.
        context: what the template shows; ``section`` names the part of the navigation that is current.
    """
    known = {
        "section": "",
        "session": getattr(request.state, "session", None),
        "flash": getattr(request.state, "flash", None),
        "path": request.url.path,
    }
    html = fill(template, **{**known, **context})
    return HTMLResponse(html, status, headers=headers)
