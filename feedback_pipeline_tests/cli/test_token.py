import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from feedback_pipeline.api.auth.authenticator import authenticator_from
from feedback_pipeline.api.auth.caller import Caller, Role
from feedback_pipeline.settings import get_settings
from feedback_pipeline_tests.cli.conftest import Run, RunJson

SECRET = "a secret of the tests, long enough for HS256"


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure a secret."""
    monkeypatch.setenv("FEEDBACK_JWT_SECRET", SECRET)


def caller_of(token: str) -> Caller:
    """Return who the server would take the bearer of ``token`` for."""
    return authenticator_from(get_settings(), development=True).caller_of(token)


@pytest.mark.usefixtures("secret")
def test_the_token_alone_is_printed_and_works(run: Run) -> None:
    result = run("token", "--sub", "ana", "--role", "reviewer", "--database", "shop", "--database", "crm")

    assert result.exit_code == 0
    assert result.stdout.count("\n") == 1
    assert caller_of(result.stdout.strip()) == Caller("ana", Role.REVIEWER, frozenset({"shop", "crm"}))
    assert "good until" in result.stderr


@pytest.mark.usefixtures("secret")
def test_a_backend_gets_the_right_to_name_its_users(run: Run) -> None:
    token = run("token", "--sub", "product", "--acts-for-users").stdout.strip()

    assert caller_of(token) == Caller("product", Role.USER, None, acts_for_users=True)


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(("ttl", "seconds"), [("8h", 28_800), ("90s", 90), ("30m", 1_800), ("7d", 604_800)])
def test_it_is_good_for_as_long_as_wanted(run_json: RunJson, ttl: str, seconds: int) -> None:
    before = datetime.now(UTC)

    document = run_json("token", "--sub", "ana", "--ttl", ttl)

    claims = jwt.decode(document["token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == seconds
    assert datetime.fromisoformat(document["expires_at"]) - before <= timedelta(seconds=seconds + 5)


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("ttl", ["", "8", "h", "0h", "-1h", "1w", "400d", "1.5h", "999999d"])
def test_another_time_is_refused_with_an_example(run: Run, ttl: str) -> None:
    result = run("token", "--sub", "ana", f"--ttl={ttl}")

    assert result.exit_code == 1
    assert "such as 8h" in result.stderr
    assert not result.stdout


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("sub", ["", "  ", "x" * 201, "a\x1bb"])
def test_a_subject_the_server_would_refuse_gets_no_token(run: Run, sub: str) -> None:
    result = run("token", "--sub", sub)

    assert result.exit_code == 1
    assert "the claim sub" in result.stderr


def test_without_a_secret_one_is_made_and_it_says_so(run: Run, tmp_path: Path) -> None:
    first, second = run("token", "--sub", "ana"), run("token", "--sub", "bob")

    key = tmp_path / "data" / "jwt.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert str(key) in first.stderr
    assert key.read_text() not in first.output
    assert {caller_of(result.stdout.strip()).subject for result in (first, second)} == {"ana", "bob"}


def test_an_identity_provider_makes_its_own_tokens(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FEEDBACK_JWT_JWKS_URL", "https://id.example.com/keys")

    result = run("token", "--sub", "ana")

    assert result.exit_code == 1
    assert "identity provider" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_secret_that_is_too_short_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_JWT_SECRET", "short")

    result = run("token", "--sub", "ana", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["type"] == "SigningKeyError"
    assert "at least 32" in result.stderr
    assert "'short'" not in result.output
