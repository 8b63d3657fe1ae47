"""``feedback-pipeline model``: the rerankers that were trained, which of them is in production, and going back."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.boundary import UserError
from feedback_pipeline.cli.session import default_reviewer

if TYPE_CHECKING:
    from feedback_pipeline.reranker.models.model import Model
    from feedback_pipeline.reranker.registry import ModelRegistry

commands = typer.Typer(no_args_is_help=True, help="Look at trained rerankers, promote one, or roll back.")

_Reference = Annotated[str, typer.Argument(metavar="VERSION", help="v3, 3, latest or production.")]
_Reason = Annotated[str | None, typer.Option(help="Why, for who looks later.")]
_Force = Annotated[
    bool, typer.Option("--force", help="Also where the gate refused it, or somebody was erased from its dataset.")
]
_BASE = "the retriever's own order"


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(commands, name="model")


@commands.command("list")
def list_all(as_json: output.JsonOption = False) -> None:
    """List all models; at most one is in production."""
    registry = _registry()
    models = [_facts(registry, model) for model in registry.models()]
    if as_json:
        in_production = next((one["version"] for one in models if one["state"] == "production"), None)
        output.print_json({"production": in_production, "models": models})
        return
    if not models:
        output.say(f"no reranker has been trained yet: {_BASE} is in production")
        return
    rows = [
        (f"v{one['version']}", one["state"], one["candidate"], one["dataset"], one["added_at"], "; ".join(one["notes"]))
        for one in models
    ]
    output.print_table(["model", "state", "candidate", "trained on", "added", ""], rows)
    if not any(one["state"] == "production" for one in models):
        output.say(f"in production: {_BASE}")


@commands.command("show")
def show(reference: _Reference = "production", as_json: output.JsonOption = False) -> None:
    """Show one model: what it is, what was measured, what the gate said, and when it was in production."""
    registry = _registry()
    model = registry.look_up(reference)
    facts, pointer = _facts(registry, model), registry.production_pointer()
    moves = [move for move in (pointer.history if pointer else ()) if move.version == model.version]
    if as_json:
        history = [{"at": move.at, "action": move.action, "reason": move.reason, "by": move.by} for move in moves]
        output.print_json({**facts, "history": history, "manifest": model.manifest})
        return
    output.print_fields(
        {
            "model": f"{model.name}: {facts['state']}",
            "path": model.path,
            "candidate": facts["candidate"],
            "trained on": facts["dataset"],
            "added": facts["added_at"],
            "gate": "\n".join([facts["gate"] or "unknown", *facts["reasons"]]),
            "measured": _lines(facts["metrics"]),
            "code": ", ".join(str(model.manifest.get(name)) for name in ("code_version", "git_revision")),
            "notes": "\n".join(facts["notes"]),
            "in production": "\n".join(f"{move.at} {move.action} by {move.by}: {move.reason}" for move in moves),
        }
    )


@commands.command("promote")
def promote(
    reference: _Reference, reason: _Reason = None, force: _Force = False, as_json: output.JsonOption = False
) -> None:
    """Put a model into production, at once: every open Reranker follows within seconds. Its files are read first."""
    registry = _registry()
    before = registry.production_pointer()
    version = registry.look_up(reference).version
    model = registry.promote(version, reason=reason or "by hand", by=default_reviewer(), force=force)
    _warn_of_revocation(model)
    _tell(model, before.version if before else None, as_json=as_json)


@commands.command("rollback")
def rollback(
    reason: _Reason = None,
    to_base: Annotated[bool, typer.Option("--to-base", help=f"Go back to {_BASE}, whatever was before.")] = False,
    force: _Force = False,
    as_json: output.JsonOption = False,
) -> None:
    """Take the last promotion back, at once; again takes back the one before, down to the retriever's own order."""
    registry = _registry()
    before = registry.production_pointer()
    model = registry.rollback(reason=reason or "by hand", by=default_reviewer(), to_base=to_base, force=force)
    _warn_of_revocation(model)
    _tell(model, before.version if before else None, as_json=as_json)


@commands.command("rank")
def rank(
    query: Annotated[str, typer.Argument(help="What a user would ask.")],
    passages: Annotated[
        str, typer.Option(metavar="FILE", help="JSON Lines: texts, or objects with a 'text'; - is standard input.")
    ],
    model: Annotated[str, typer.Option(help="v3, 3, latest or production.")] = "production",
    top_k: Annotated[int | None, typer.Option(min=1, help="How many at most.")] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Rank passages for QUERY, best first."""
    from feedback_pipeline.reranker import Reranker

    with Reranker.open(model, refresh_seconds=0) as reranker:
        ranked = reranker.rank(query, _texts(passages), top_k, return_documents=True)
        version = reranker.version
    if as_json:
        output.print_json({"model": version, "ranked": ranked})
        return
    rows = [
        (place, f"{one['score']:.4f}", one["corpus_id"], output.shortened(one["text"], 120))
        for place, one in enumerate(ranked, start=1)
    ]
    output.print_table(["rank", "score", "line", "passage"], rows)


def _registry() -> "ModelRegistry":
    from feedback_pipeline.reranker.registry import ModelRegistry
    from feedback_pipeline.settings import get_settings

    return ModelRegistry(get_settings().storage_root)


def _facts(registry: "ModelRegistry", model: "Model") -> dict[str, Any]:
    """Return what the commands tell of a model; of one with a damaged manifest that is little."""
    facts: dict[str, Any] = {"version": model.version, "state": registry.state_of(model), "path": model.path}
    if model.is_damaged:
        unknown = dict.fromkeys(("candidate", "dataset", "added_at", "gate", "pruned", "revoked_dataset"))
        return {**facts, **unknown, "reasons": [], "metrics": {}, "notes": ["its manifest is damaged"]}
    revoked = model.revoked_dataset()
    return {
        **facts,
        "candidate": model.candidate,
        "dataset": model.dataset,
        "added_at": model.manifest.get("added_at"),
        "gate": "passed" if model.passed_gate else "refused",
        "reasons": model.reasons,
        "metrics": model.metrics,
        "pruned": model.pruned,
        "revoked_dataset": revoked,
        "notes": _notes(model, revoked),
    }


def _notes(model: "Model", revoked: str | None) -> list[str]:
    notes = [f"trained on revoked dataset {revoked}"] if revoked else []
    return notes + ([f"weights removed: {model.pruned}"] if model.pruned else [])


def _tell(model: "Model | None", before: int | None, *, as_json: bool) -> None:
    version = model.version if model else None
    if as_json:
        output.print_json({"production": version, "before": before, "moved": version != before})
        return
    was = f"; before: {f'v{before}' if before else _BASE}"
    now = f"{model.name} ({model.candidate})" if model else _BASE
    output.say(f"in production: {now}" + (was if version != before else ", as before"))


def _warn_of_revocation(model: "Model | None") -> None:
    if model and (revoked := model.revoked_dataset()):
        output.warn(f"{model.name} was trained on {revoked}, from which somebody was erased since")


def _lines(document: dict[str, Any], prefix: str = "") -> str:
    """Return a document as lines of ``name.of.number value``."""
    lines = []
    for name, value in sorted(document.items()):
        nested = isinstance(value, dict)
        lines.append(_lines(value, f"{prefix}{name}.") if nested else f"{prefix}{name} {value}")
    return "\n".join(lines)


def _texts(source: str) -> list[str]:
    """Return the passages of a JSONL file, or of standard input. Raises UserError, which names the line."""
    try:
        content = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {source}: {getattr(error, 'strerror', None) or error}") from error
    lines = enumerate(content.split("\n"), start=1)
    return [_text(source, number, line) for number, line in lines if line.strip()]


def _text(source: str, number: int, line: str) -> str:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise UserError(f"{source}, line {number}: no JSON ({error})") from error
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise UserError(f"{source}, line {number}: neither a text nor an object with a 'text'")
    return text
