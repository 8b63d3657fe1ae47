"""Tokens of an identity provider, checked with the public keys behind its URL."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.api.auth import signing
from feedback_pipeline_tests.api.conftest import api_settings
from feedback_pipeline_tests.api.probes import Provider, add_probes

RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider with two keys."""
    made = Provider()
    made.keys = {"one": RSA, "two": EC}
    with made.running():
        yield made


@pytest.fixture
def probes(provider: Provider, tmp_path: Path) -> Iterator[TestClient]:
    """An application that trusts the provider."""
    app = create_app(api_settings(tmp_path, jwt_secret=None, jwt_jwks_url=provider.url))
    add_probes(app)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def signed(key: Any, key_id: str | None, algorithm: str, **claims: Any) -> dict[str, str]:
    body = {"sub": "ann", "iss": "feedback-pipeline", "aud": "feedback-pipeline", **claims}
    body.setdefault("exp", datetime.now(UTC) + timedelta(hours=1))
    headers = {"kid": key_id} if key_id else {}
    return {"Authorization": f"Bearer {jwt.encode(body, key, algorithm=algorithm, headers=headers)}"}


def test_tokens_signed_by_the_provider_get_in(probes: TestClient) -> None:
    by_rsa = probes.get("/probe", headers=signed(RSA, "one", "RS256", roles=["admin"]))
    by_curve = probes.get("/probe", headers=signed(EC, "two", "ES256"))

    assert by_rsa.json()["role"] == "admin"
    assert by_curve.json()["role"] == "user"


def test_the_keys_are_asked_for_once(provider: Provider, probes: TestClient) -> None:
    for _ in range(5):
        assert probes.get("/probe", headers=signed(RSA, "one", "RS256")).status_code == 200

    assert provider.asked == 1


def test_a_token_signed_with_another_key_of_that_name_is_refused(probes: TestClient) -> None:
    answer = probes.get("/probe", headers=signed(OTHER_RSA, "one", "RS256"))

    assert answer.status_code == 401
    assert "signature" in answer.json()["detail"]


def test_the_public_key_is_no_secret_to_sign_with(probes: TestClient) -> None:
    # The library refuses to sign like this, so an attacker's own few lines do it.
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)):
        forged = _by_hmac(secret, {"alg": "HS256", "typ": "JWT", "kid": "one"})
        answer = probes.get("/probe", headers={"Authorization": f"Bearer {forged}"})

        assert answer.status_code == 401
        assert "algorithm" in answer.json()["detail"]


def _by_hmac(secret: bytes, header: dict[str, Any]) -> str:
    claims = {"sub": "ann", "role": "admin", "iss": "feedback-pipeline", "aud": "feedback-pipeline", "exp": 4e9}
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in (header, claims)]
    text = b".".join(parts)
    seal = base64.urlsafe_b64encode(hmac.new(secret, text, hashlib.sha256).digest()).rstrip(b"=")
    return b".".join([text, seal]).decode()


def test_only_the_algorithms_of_the_settings_count(provider: Provider, tmp_path: Path) -> None:
    app = create_app(api_settings(tmp_path, jwt_secret=None, jwt_jwks_url=provider.url, jwt_algorithms="ES256"))
    add_probes(app)

    with TestClient(app) as client:
        assert client.get("/probe", headers=signed(RSA, "one", "RS256")).status_code == 401
        assert client.get("/probe", headers=signed(EC, "two", "ES256")).status_code == 200


def test_a_key_of_one_kind_does_not_check_the_algorithm_of_another(probes: TestClient) -> None:
    assert probes.get("/probe", headers=signed(EC, "one", "ES256")).status_code == 401


@pytest.mark.parametrize("key_id", ["unheard-of", None])
def test_an_unknown_key_is_a_matter_of_the_token(probes: TestClient, key_id: str | None) -> None:
    assert probes.get("/probe", headers=signed(RSA, key_id, "RS256")).status_code == 401


def test_unknown_keys_do_not_have_the_provider_asked_each_time(provider: Provider, probes: TestClient) -> None:
    for number in range(10):
        probes.get("/probe", headers=signed(RSA, f"unheard-of-{number}", "RS256"))

    assert provider.asked == 1


def test_a_new_key_is_found_after_a_while(
    provider: Provider, probes: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "PAUSE_S", 0.0)
    assert probes.get("/probe", headers=signed(RSA, "one", "RS256")).status_code == 200

    provider.keys = {"three": OTHER_RSA}

    assert probes.get("/probe", headers=signed(OTHER_RSA, "three", "RS256")).status_code == 200
    assert probes.get("/probe", headers=signed(RSA, "one", "RS256")).status_code == 401


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (200, b"<html>"), (200, b"[]"), (200, b'{"keys": []}'), (302, b"")]
)
def test_while_the_provider_is_away_nobody_is_told_that_their_token_is_wrong(
    provider: Provider, probes: TestClient, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes
) -> None:
    monkeypatch.setattr(signing, "PAUSE_S", 3_600.0)
    provider.status, provider.body = status, body

    answers = [probes.get("/probe", headers=signed(RSA, "one", "RS256")) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].headers["retry-after"].isdecimal()
    assert answers[0].json()["code"] == "keys_unavailable"
    assert provider.asked == 1


def test_an_unreachable_provider_is_no_wrong_token(tmp_path: Path) -> None:
    app = create_app(api_settings(tmp_path, jwt_secret=None, jwt_jwks_url="http://127.0.0.1:1/keys"))
    add_probes(app)

    with TestClient(app) as client:
        assert client.get("/probe", headers=signed(RSA, "one", "RS256")).status_code == 503
        assert client.get("/healthz").status_code == 200


def test_known_keys_go_on_while_the_provider_is_away(provider: Provider, probes: TestClient) -> None:
    assert probes.get("/probe", headers=signed(RSA, "one", "RS256")).status_code == 200
    provider.status = 500

    assert probes.get("/probe", headers=signed(RSA, "one", "RS256")).status_code == 200


def test_a_shared_key_that_a_provider_lists_does_not_count(provider: Provider, probes: TestClient) -> None:
    provider.body = (
        b'{"keys": [{"kty": "oct", "kid": "one", "use": "sig", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}'
    )

    for algorithm in ("HS256", "RS256"):
        forged = _by_hmac(b"secretsecretsecretsecretsecret", {"alg": algorithm, "typ": "JWT", "kid": "one"})
        assert probes.get("/probe", headers={"Authorization": f"Bearer {forged}"}).status_code == 401
