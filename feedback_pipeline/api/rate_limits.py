"""How many requests one caller may send, and how many tokens that do not fit one address may try.

Counted in the memory of each server process, so several workers allow that many each.
"""

import hashlib
import ipaddress
import math
import secrets
import time
from typing import Literal

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.requests import HTTPConnection

from feedback_pipeline.api.auth.identity import Identity
from feedback_pipeline.api.metrics import Metrics
from feedback_pipeline.api.problems import ProblemError
from feedback_pipeline.settings import Settings

IPV6_NETWORK_BITS = 64
"""What one customer of a provider usually has to choose addresses from."""

Kind = Literal["requests", "sign_ins"]


class RateLimitError(RuntimeError):
    """A limit of the settings cannot be read; the text names the variable."""


class RateLimits:
    """Two limits: requests of a caller, and sign-ins and refused tokens of an address.

    A sliding window of two counters per caller, not a list of moments: a caller costs the same memory at any limit.
    """

    def __init__(self, settings: Settings, metrics: Metrics):
        self._limits: dict[Kind, RateLimitItem] = {
            "requests": _limit("FEEDBACK_API_RATE_LIMIT", settings.api_rate_limit),
            "sign_ins": _limit("FEEDBACK_API_SIGN_IN_RATE_LIMIT", settings.api_sign_in_rate_limit),
        }
        self._metrics = metrics
        self._counts = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._salt = secrets.token_bytes(16)

    def take_request(self, request: HTTPConnection, identity: Identity) -> None:
        """Count one request. Raises ProblemError (429) when it is one too many for its caller.

        A backend's requests for different users are counted apart, so that no user can use up what is the others'.
        Whoever has no token that can be used is counted by address, and a refused token also as a failed sign-in.
        """
        caller = identity.caller
        if caller is None:
            if identity.problem is not None and identity.problem.status == 401:
                self.take_sign_in(request)
            self._take("requests", "address", address_of(request))
            return
        user = request.headers.get("on-behalf-of", "") if caller.may_act_for_users else ""
        self._take("requests", "caller", caller.subject, user)

    def take_sign_in(self, request: HTTPConnection) -> None:
        """Count one attempt to sign in. Raises ProblemError (429) when it is one too many for its address."""
        self._take("sign_ins", "address", address_of(request))

    def _take(self, kind: Kind, *who: str) -> None:
        limit, key = self._limits[kind], self._hidden(who)
        if self._counts.hit(limit, kind, key):
            return
        self._metrics.rate_limited.labels(kind).inc()
        stats = self._counts.get_window_stats(limit, kind, key)
        seconds = max(1, math.ceil(stats.reset_time - time.time()))
        raise ProblemError(
            429,
            f"Too many {kind.replace('_', '-')}: {limit} are allowed. Go on in {seconds} s.",
            code="rate_limited",
            headers={
                "Retry-After": str(seconds),
                "RateLimit-Limit": str(limit.amount),
                "RateLimit-Remaining": str(stats.remaining),
                "RateLimit-Reset": str(seconds),
            },
        )

    def _hidden(self, who: tuple[str, ...]) -> str:
        text = "\0".join(who).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._salt, digest_size=16).hexdigest()


def address_of(request: HTTPConnection) -> str:
    """Return where ``request`` comes from; of IPv6 the network, since one user has very many addresses."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((int(address), IPV6_NETWORK_BITS), strict=False))


def _limit(variable: str, text: str) -> RateLimitItem:
    try:
        return parse(text)
    except ValueError as error:
        raise RateLimitError(f"{variable} is {text!r}; write it like 20/second or 1200/minute.") from error
