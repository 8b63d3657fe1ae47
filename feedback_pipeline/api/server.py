"""Runs the application under uvicorn until a signal ends it."""

import ipaddress
import signal
import socket
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from feedback_pipeline.api.app import create_app
from feedback_pipeline.api.logs import log_config
from feedback_pipeline.settings import Settings

GRACE_S = 10
KEEP_ALIVE_S = 75
"""So long may requests under way go on when the server is told to end."""

FACTORIES = {False: "feedback_pipeline.api.app:create_app", True: "feedback_pipeline.api.app:development_app"}


class AddressError(RuntimeError):
    """The server cannot listen there; the text says why and the way out."""


def is_loopback(host: str) -> bool:
    """Tell whether only programs on this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address. Raises AddressError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        # Before anything is started that would then have to be ended: a taken port shows here at the latest.
        listening.listen(2_048)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AddressError(f"cannot listen on {host}:{port}: {reason}. Choose another one with --port.") from error
    listening.set_inheritable(True)
    return listening


def run(settings: Settings, listening: socket.socket, *, workers: int, development: bool) -> None:
    """Answer requests until SIGINT or SIGTERM, then let those under way end.

    Raises:
        SigningKeyError: tokens cannot be checked with these settings.
        RateLimitError: a rate limit of the settings cannot be read.

    """
    app = create_app(settings, development=development)
    served = app if workers == 1 else FACTORIES[development]
    config = configuration(settings, served, factory=workers > 1, workers=workers, log_config=log_config())
    if workers > 1:
        Multiprocess(config, [listening]).run()
        return
    # uvicorn raises the signal again when it has ended: there is still something to do after that.
    former = {number: signal.signal(number, _nothing) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        uvicorn.Server(config).run([listening])
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def configuration(settings: Settings, app: ASGIApp | str, **options: Any) -> uvicorn.Config:
    """Return how ``app`` is served. Who a request comes from and by which scheme is believed of named proxies alone."""
    return uvicorn.Config(
        app,
        lifespan="on",
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.api_trusted_proxies),
        forwarded_allow_ips=settings.api_trusted_proxies,
        timeout_graceful_shutdown=GRACE_S,
        # Longer than clients and proxies keep idle connections, or they send into one that is just being closed.
        timeout_keep_alive=KEEP_ALIVE_S,
        **options,
    )


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Let the signal have no effect of its own: uvicorn has acted on it."""
