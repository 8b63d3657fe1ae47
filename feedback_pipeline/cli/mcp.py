"""``feedback-pipeline mcp``: verified corrections as a tool for agents that speak the Model Context Protocol."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from feedback_pipeline.cli.boundary import UserError
from feedback_pipeline.cli.output import warn

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from feedback_pipeline.retrieval import InfluenceRecorder
    from feedback_pipeline.settings import Settings
    from feedback_pipeline.store import Store

_LOOPBACK = "127.0.0.1"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("mcp")(mcp)


def mcp(
    database: Annotated[
        list[str] | None,
        typer.Option("--database", metavar="ID", help="The only database that may be read; repeatable. Default: all."),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option(metavar="[HOST:]PORT", help="Serve streamable HTTP there instead of stdio; HOST is 127.0.0.1."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="With --http: a name under which other machines reach it; repeatable."),
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="How long the text of an answer may get.")] = None,
) -> None:
    """Serve the tool find_corrections to an agent, over stdio or HTTP. What it finds is recorded like any retrieval.

    Over HTTP nobody is asked for a token: whoever reaches the port may read what --database allows. Another HOST than
    this machine needs --allowed-host, and something in front of it that knows who may.
    """
    address = None if http is None else _address(http, allowed_host or [])
    with _server(database or [], max_tokens) as server:
        if address is None:
            server.run("stdio")
        else:
            _serve_http(server, *address, allowed_host or [])


@contextmanager
def _server(databases: list[str], max_tokens: int | None) -> "Iterator[MCPServer]":
    from feedback_pipeline.integrations import MissingExtraError
    from feedback_pipeline.retrieval import Retriever
    from feedback_pipeline.settings import get_settings

    try:
        from feedback_pipeline.integrations.mcp import correction_server
    except MissingExtraError as error:
        raise UserError(str(error)) from error
    settings = get_settings()
    with _recorder(settings) as influence:
        yield correction_server(
            Retriever.open(settings, influence=influence), databases=databases, max_tokens=max_tokens
        )


@contextmanager
def _recorder(settings: "Settings") -> "Iterator[InfluenceRecorder]":
    """Yield a recorder whose store opens beside the answers: agents are answered while it is away."""
    from feedback_pipeline.retrieval import InfluenceRecorder

    opened: list[Store] = []
    opening = threading.Lock()

    def store() -> "Store":
        from feedback_pipeline.store import open_store

        with opening:
            if not opened:
                opened.append(open_store(settings))
            return opened[0]

    # At once and not with the first answer: a client that asks one question ends this process two seconds later.
    warm_up = threading.Thread(target=_tried, args=(store,), name="warm-up", daemon=True)
    warm_up.start()
    try:
        with InfluenceRecorder(store) as influence:
            yield influence
    finally:
        warm_up.join()
        for one in opened:
            one.close()


def _tried(open_it: "Callable[[], Store]") -> None:
    """Open the store if it can be; the recorder tries again and says what is wrong."""
    from feedback_pipeline.store.errors import StoreUnavailableError

    with suppress(StoreUnavailableError):
        open_it()


def _address(http: str, allowed_hosts: list[str]) -> tuple[str, int]:
    from feedback_pipeline.api.server import is_loopback

    host, _, port = http.rpartition(":")
    host = host.strip("[]") or _LOOPBACK
    if not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise typer.BadParameter(f"{http!r} is no PORT and no HOST:PORT", param_hint="--http")
    if not is_loopback(host) and not allowed_hosts:
        raise typer.BadParameter(
            f"{host} can be reached from other machines: name with --allowed-host under which name they do",
            param_hint="--http",
        )
    return host, int(port)


def _serve_http(server: "MCPServer", host: str, port: int, allowed_hosts: list[str]) -> None:
    import uvicorn

    from feedback_pipeline.api.server import is_loopback, listen
    from feedback_pipeline.integrations.mcp import transport_security

    app = server.streamable_http_app(
        stateless_http=True, json_response=True, host=host, transport_security=transport_security(allowed_hosts)
    )
    with listen(host, port) as listening:
        shown = f"[{host}]" if ":" in host else host
        typer.echo(f"MCP on http://{shown}:{listening.getsockname()[1]}/mcp", err=True)
        if not is_loopback(host):
            warn("whoever reaches this port may read the examples: nobody is asked for a token")
        # uvicorn would write its access log to stdout.
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, ws="none")
        uvicorn.Server(config).run([listening])
