"""Routes that only show what the gate lets through, and a provider of keys to try it with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from fastapi import FastAPI
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.auth.guard import AdminCaller, ReviewerCaller, UserCaller


def add_probes(app: FastAPI) -> None:
    """Let ``app`` tell who it takes the caller for."""

    @app.get("/probe")
    def probe(caller: UserCaller) -> dict[str, Any]:
        return shown(caller)

    @app.get("/probe/reviewer")
    def probe_reviewer(caller: ReviewerCaller) -> dict[str, Any]:
        return shown(caller)

    @app.get("/probe/admin")
    def probe_admin(caller: AdminCaller) -> dict[str, Any]:
        return shown(caller)


def shown(caller: Caller) -> dict[str, Any]:
    databases = None if caller.databases is None else sorted(caller.databases)
    return {
        "subject": caller.subject,
        "role": caller.role.name.lower(),
        "databases": databases,
        "acts_for_users": caller.acts_for_users,
    }


class Provider:
    """An identity provider: answers with its public keys, or as it is told."""

    def __init__(self) -> None:
        self.keys: dict[str, RSAPrivateKey | EllipticCurvePrivateKey] = {}
        self.status, self.asked, self.body = 200, 0, b""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                body = provider.body or provider.document()
                self.send_response(provider.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"

    def document(self) -> bytes:
        return json.dumps({"keys": [_public(key_id, key) for key_id, key in self.keys.items()]}).encode()

    @contextmanager
    def running(self) -> Iterator["Provider"]:
        thread = Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def _public(key_id: str, key: RSAPrivateKey | EllipticCurvePrivateKey) -> dict[str, Any]:
    if isinstance(key, RSAPrivateKey):
        described = RSAAlgorithm.to_jwk(key.public_key())
    else:
        described = ECAlgorithm.to_jwk(key.public_key())
    return {**json.loads(described), "kid": key_id, "use": "sig"}
