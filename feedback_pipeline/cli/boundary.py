"""What becomes of errors: one clear line and exit code 1 for those we know, a traceback for bugs alone."""

import json
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup

JSON_WANTED = "feedback_pipeline.json"
"""Key in the context's ``meta`` under which ``--json`` is remembered."""

BUGS = frozenset({"ContractError"})
"""Errors of ours that no user can do anything about."""


class UserError(RuntimeError):
    """A command cannot do what was asked; the text says why and the way out."""


class ErrorBoundary(TyperGroup):
    """The root command: reports every expected error of every command in the same way."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Expected errors are reported and end the process with exit code 1."""
        try:
            return super().invoke(ctx)
        except (RuntimeError, ValueError, LookupError, OSError, ModuleNotFoundError) as error:
            if not is_expected(error):
                raise
            report(error, as_json=ctx.meta.get(JSON_WANTED, False))
            raise typer.Exit(1) from error


def is_expected(error: BaseException) -> bool:
    """Tell whether ``error`` is one for users: our own errors, wrong settings, and what a small install cannot do."""
    own = type(error).__module__.startswith("feedback_pipeline.")
    return (own and type(error).__name__ not in BUGS) or _is_about_settings(error) or _is_about_install(error)


def message_of(error: BaseException) -> str:
    """Return what is to be said about ``error``, without line breaks."""
    if _is_about_install(error):
        return f"this command needs the whole pipeline ({error}): pip install 'feedback-pipeline[pipeline]'"
    if not _is_about_settings(error):
        return " ".join(str(error).split())
    details: list[Any] = error.errors(include_url=False)  # pyright: ignore[reportAttributeAccessIssue]
    wrong = (f"FEEDBACK_{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in details)
    return "the settings cannot be used: " + "; ".join(wrong)


def report(error: BaseException, *, as_json: bool) -> None:
    """Print ``error`` to stderr and, for machines, as JSON to stdout."""
    typer.echo(f"error: {message_of(error)}", err=True)
    if as_json:
        document = {"error": {"type": type(error).__name__, "message": message_of(error)}}
        typer.echo(json.dumps(document, ensure_ascii=False))


def _is_about_install(error: BaseException) -> bool:
    """Tell whether a module is missing because only what trainers need is installed."""
    return isinstance(error, ModuleNotFoundError) and find_spec("sqlalchemy") is None


def _is_about_settings(error: BaseException) -> bool:
    from pydantic import ValidationError

    return isinstance(error, ValidationError) and error.title == "Settings"
