"""``feedback-pipeline databases``: what the checks may know of the databases that questions are asked about."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.boundary import UserError
from feedback_pipeline.cli.session import opened

if TYPE_CHECKING:
    from feedback_pipeline.store import Database

MAX_ID_CHARS = 200
FINGERPRINT_CHARS = 12

commands = typer.Typer(no_args_is_help=True, help="Register the databases that questions are asked about.")


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(commands, name="databases")


@commands.command("add")
def add(
    database_id: Annotated[str, typer.Argument(metavar="ID", help="The id that feedback uses for this database.")],
    dialect: Annotated[str, typer.Option(help="SQL dialect: sqlite, postgres, mysql, snowflake …")],
    url: Annotated[str | None, typer.Option(help="SQLAlchemy URL, or the path of a SQLite file.")] = None,
    ddl: Annotated[Path | None, typer.Option(help="File with CREATE TABLE statements, instead of a look.")] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Register a database, or replace what is known of it. Its schema is read from --ddl, else from --url.

    A schema read from --url is followed when it changes; one given as --ddl stays as it is given.
    """
    if not database_id.strip() or len(database_id) > MAX_ID_CHARS:
        raise typer.BadParameter(f"must be 1 to {MAX_ID_CHARS} characters.", param_hint="ID")
    text = None if ddl is None else _read(ddl)
    with opened() as (_, store):
        from feedback_pipeline.store import register_database

        database = register_database(store, database_id.strip(), dialect, url, text)
    if as_json:
        output.print_json({"database": _described(database)})
        return
    tables = _described(database)["tables"]
    known = "its schema is not known: add --url or --ddl to check names" if tables is None else f"{tables} table(s)"
    output.say(f"{database.database_id} is registered ({database.dialect}): {known}")


@commands.command("list")
def list_all(as_json: output.JsonOption = False) -> None:
    """List the registered databases."""
    with opened() as (_, store):
        from feedback_pipeline.store import list_databases

        described = [_described(database) for database in list_databases(store)]
    if as_json:
        output.print_json({"databases": described})
        return
    if not described:
        output.say("no database is registered; add one: feedback-pipeline databases add ID --dialect D --url URL")
        return
    output.print_table(
        ("id", "dialect", "tables", "url", "fingerprint"),
        [(d["database_id"], d["dialect"], d["tables"], "yes" if d["has_url"] else "no", _short(d)) for d in described],
    )


@commands.command("refresh")
def refresh(as_json: output.JsonOption = False) -> None:
    """Look at the schemas of all databases that have a URL, and mark feedback whose tables or columns are gone.

    The daemon and 'run' do the same by themselves. What is stale leaves the index with the next 'run'.
    """
    with opened() as (settings, store):
        from feedback_pipeline.drift import follow_schemas

        report = follow_schemas(store, settings)
    if as_json:
        look = {"changed": sorted(report.look.changed), "unreachable": dict(sorted(report.look.unreachable.items()))}
        output.print_json({**look, "stale": sorted(report.stale), "restored": sorted(report.restored)})
        return
    changed = ", ".join(sorted(report.look.changed)) or "none"
    output.say(f"changed schemas: {changed}; feedback now stale: {len(report.stale)}, restored: {len(report.restored)}")
    for problem in report.look.unreachable.values():
        output.say(f"not looked at: {problem}")


@commands.command("recheck")
def recheck(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Databases.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All registered databases.")] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Let all feedback of a database be checked again: its data, your rights on it or the limits have changed.

    The checks are made by the next 'run', or when feedback is verified.
    """
    if bool(ids) == every:
        raise typer.BadParameter("name databases, or give --all.", param_hint="ID…")
    with opened() as (_, store):
        from feedback_pipeline.store import check_again, list_databases

        chosen = [database.database_id for database in list_databases(store)] if every else ids or []
        names = [database.database_id for database in check_again(store, chosen)]
    if as_json:
        output.print_json({"checked_again": names})
    else:
        output.say(
            f"feedback of {', '.join(names) or 'no database'} will be checked again; next: feedback-pipeline run"
        )


def _described(database: "Database") -> dict[str, Any]:
    """Return what may be shown; the URL may hold a password."""
    return {
        "database_id": database.database_id,
        "dialect": database.dialect,
        "tables": None if database.schema is None else len(database.schema),
        "has_url": database.url is not None,
        "schema_fingerprint": database.schema_fingerprint,
    }


def _short(described: dict[str, Any]) -> str | None:
    fingerprint = described["schema_fingerprint"]
    return None if fingerprint is None else fingerprint[:FINGERPRINT_CHARS]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: the DDL cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: the DDL is not UTF-8; save it as UTF-8.") from error
