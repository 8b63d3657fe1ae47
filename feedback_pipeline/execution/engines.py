"""From a target to a session on it: which engine serves which database, and what there is none for."""

from feedback_pipeline.execution.contracts import Limits, Target
from feedback_pipeline.execution.deadlines import Watch
from feedback_pipeline.execution.sessions import Session, UnreachableError
from feedback_pipeline.execution.urls import ENGINES, engine_name, file_of, parsed


def why_not_executable(database_id: str, target: Target | None) -> str | None:
    """Return why nothing can be run for ``database_id``, with the way out; None when it is worth trying."""
    if target is None or target.url is None:
        return (
            f"database '{database_id}' has no URL to run on; add one with 'feedback-pipeline databases add "
            f"{database_id} --dialect … --url …'"
        )
    try:
        name = engine_name(parsed(target.url))
    except UnreachableError:
        # Opening it says so, in a way that is tried again.
        return None
    if name in ENGINES:
        return None
    return f"execution is supported for {_listed(list(ENGINES.values()))}, not for {name}"


def open_session(target: Target, limits: Limits, watch: Watch) -> Session:
    """Connect to the database of ``target``. Raises UnreachableError."""
    url = parsed(target.url or "")
    match engine_name(url):
        case "sqlite":
            from feedback_pipeline.execution.sqlite_engine import SqliteSession

            return SqliteSession(file_of(url), limits)
        case "duckdb":
            from feedback_pipeline.execution.duckdb_engine import DuckdbSession

            return DuckdbSession(file_of(url), limits, watch)
        case _:
            from feedback_pipeline.execution.postgres_engine import PostgresSession

            return PostgresSession(url, limits)


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
