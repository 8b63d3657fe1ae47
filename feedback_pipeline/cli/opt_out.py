"""``feedback-pipeline opt-out``: a user wants no part in it, or does again."""

from typing import Annotated, Any

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.session import opened

UserOption = Annotated[str, typer.Option("--user-id", metavar="ID", help="The user's id as your product knows it.")]
"""The raw id: it is hashed at once and neither stored nor printed."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("opt-out")(opt_out)


def opt_out(
    user_id: UserOption,
    undo: Annotated[bool, typer.Option("--undo", help="Accept this user's feedback again.")] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Stop using what a user gave, at once, and accept nothing from them any more.

    What they gave is withdrawn and stays stored; 'erase' removes it. Withdrawn feedback does not come back with --undo.
    """
    user = known_form(user_id)
    document = _undo(user) if undo else _opt_out(user)
    output.print_json(document) if as_json else _say(document)


def known_form(user_id: str) -> str:
    """Return an id as imports read it. A blank one is wrong usage."""
    if not user_id.strip():
        raise typer.BadParameter("must not be blank.", param_hint="--user-id")
    return user_id.strip()


def _opt_out(user_id: str) -> dict[str, Any]:
    from feedback_pipeline.example_index.catalog import IndexCatalog
    from feedback_pipeline.example_index.removal import take_out
    from feedback_pipeline.store import opt_out, records_of

    with opened() as (settings, store):
        user_hash = store.hash_user(user_id)
        done = opt_out(store, user_hash)
        # All of theirs, not only what was withdrawn just now: a call before this one may have been interrupted.
        records = records_of(store, user_hash)
        theirs = frozenset(records["feedback_ids"])
        published = take_out(IndexCatalog(settings.storage_root), theirs)
    return {
        "opted_out": True,
        "known_before": done.known,
        "nothing_known": not any(records.values()),
        "withdrawn": len(done.withdrawn),
        "examples_taken_out": published.removed if published else 0,
        "index_version": published.publication.version if published else None,
    }


def _undo(user_id: str) -> dict[str, Any]:
    from feedback_pipeline.store import undo_opt_out

    with opened() as (_, store):
        return {"opted_out": False, "known_before": undo_opt_out(store, store.hash_user(user_id))}


def _say(document: dict[str, Any]) -> None:
    if not document["opted_out"]:
        known = document["known_before"]
        output.say("feedback of this user is accepted again" if known else "this user has not opted out")
        return
    output.say("this user had opted out before" if document["known_before"] else "this user has opted out")
    if document["nothing_known"]:
        output.say("nothing is known of this user (yet); check the id if you expected something")
        return
    output.say(f"withdrawn: {document['withdrawn']:,} feedback")
    if document["index_version"]:
        output.say(
            f"taken out of the live index: {document['examples_taken_out']:,} examples (version "
            f"{document['index_version']}); the next run brings back those that other users gave too"
        )
    output.say("what is stored stays stored; 'feedback-pipeline erase' removes it everywhere")
