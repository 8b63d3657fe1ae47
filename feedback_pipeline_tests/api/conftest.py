"""An application over a store of its own, and callers of every role."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.settings import Settings

SECRET = "a secret of the tests, long enough for HS256"
Headers = dict[str, str]
MakeHeaders = Callable[..., Headers]


def token(subject: str = "ann", role: str | None = "user", **claims: Any) -> str:
    """Return a token as a caller would send it; ``claims`` are added, or replace what is there."""
    now = datetime.now(UTC)
    body = {
        "sub": subject,
        "role": role,
        "iss": "feedback-pipeline",
        "aud": "feedback-pipeline",
        "iat": now,
        "exp": now + timedelta(hours=1),
        **claims,
    }
    return jwt.encode({name: value for name, value in body.items() if value is not None}, SECRET, algorithm="HS256")


def bearer(subject: str = "ann", role: str | None = "user", **claims: Any) -> Headers:
    """Return the header that signs a request."""
    return {"Authorization": f"Bearer {token(subject, role, **claims)}"}


def api_settings(folder: Path, **changes: Any) -> Settings:
    """Return the settings of an application whose data lies in ``folder``."""
    values = {"storage_root": str(folder), "hash_key": "secret", "jwt_secret": SECRET, **changes}
    return Settings.model_validate(values)


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """An application over an empty SQLite store."""
    return create_app(api_settings(tmp_path / "data"))


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Whoever sends requests; errors of the server are answers, as in life."""
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def client_of_each_store(store_settings: Settings) -> Iterator[TestClient]:
    """Like ``client``, once over SQLite and once over Postgres."""
    folder, url = Path(store_settings.storage_root), store_settings.database_url
    with TestClient(create_app(api_settings(folder, database_url=url)), raise_server_exceptions=False) as opened:
        yield opened
