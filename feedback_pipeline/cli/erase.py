"""``feedback-pipeline erase``: one user out of everything, with a receipt."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.boundary import UserError
from feedback_pipeline.cli.opt_out import UserOption, known_form
from feedback_pipeline.cli.session import opened

if TYPE_CHECKING:
    from feedback_pipeline.settings import Settings
    from feedback_pipeline.store import Store


class ErasureFailedError(UserError):
    """An erasure could not be finished; it stands in the journal and the next run goes on with it."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("erase")(erase)


def erase(
    user_id: UserOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be removed.")] = False,
    keep_consent: Annotated[
        bool, typer.Option("--keep-consent", help="Do not opt the user out: what they give from now on is stored.")
    ] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Remove everything a user ever gave: store, tables, index, releases, caches, rejects and run history.

    Ends with a receipt, which is also kept under erasures/ below the storage root. Exit code 0 if a last search found
    nothing, else 1. The user is opted out too, or the next import of the same file would bring everything back.
    """
    user = known_form(user_id)
    with opened() as (settings, store):
        user_hash = store.hash_user(user)
        receipt = _look(settings, user_hash) if dry_run else _erase(settings, store, user_hash, keep_consent)
    output.print_json(receipt) if as_json else _print(receipt)
    if not dry_run and receipt["verification"]["total"]:
        raise typer.Exit(1)


def _look(settings: "Settings", user_hash: str) -> dict[str, Any]:
    from feedback_pipeline.defs.erasure import would_erase

    return would_erase(settings, user_hash)


def _erase(settings: "Settings", store: "Store", user_hash: str, keep_consent: bool) -> dict[str, Any]:
    from feedback_pipeline.defs.launch import ERASURE, run_job
    from feedback_pipeline.store import get_erasure, request_erasure

    # From here on only the hash and ids are known, in the journal; the run finds them there.
    erasure = request_erasure(store, user_hash, keep_consent=keep_consent)
    outcome = run_job(ERASURE, settings)
    receipt = get_erasure(store, erasure.erasure_id).receipt
    if receipt is None:
        why = "; ".join(text.splitlines()[0] for text in outcome.failed.values()) or "the run was interrupted"
        raise ErasureFailedError(f"{why}. The erasure is noted; the next 'erase' or 'run' goes on with it.")
    return receipt


def _print(receipt: dict[str, Any]) -> None:
    if receipt["nothing_found"]:
        output.say("nothing of this user was found")
    else:
        done = receipt.get("removed", {})
        rows = [(place, _facts(found), _facts(done.get(place, {}))) for place, found in receipt["found"].items()]
        output.print_table(("place", "found", "removed"), rows)
    if shared := receipt["examples_others_gave_too"]:
        output.say(
            f"{shared:,} of the examples were given by others too; the next run builds them again without this user"
        )
    if receipt["trained_models"]:
        output.say("models that have seen the data:")
        output.print_table(
            ("model", "trained on", "note"),
            [(m["name"], m["trained_on"], m["note"]) for m in receipt["trained_models"]],
        )
    output.say("not reached:")
    output.print_table(("what", "why"), [(item["what"], item["why"]) for item in receipt["not_reached"]])
    if receipt.get("dry_run"):
        output.say("nothing was changed; without --dry-run it is removed")
        return
    check = receipt["verification"]
    left = ", ".join(f"{place} {count}" for place, count in check["leftovers"].items() if count)
    output.say(f"search for remains (by {check['searched_by']}): {left or 'none'}")
    output.say(f"erasure {receipt['erasure_id']}, opted out: {'no' if receipt['consent'] == 'kept' else 'yes'}")


def _facts(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_fact(value)}" for name, value in found.items())


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return f"({_facts(value)})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "+".join(map(str, value)) or "–"
    return f"{value:,}" if isinstance(value, int) else "–" if value is None else str(value)
