"""Who gets in, as whom, and who does not: tokens signed with a secret."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.api.auth.authenticator import LONGEST_TOKEN
from feedback_pipeline.api.auth.signing import SigningKeyError
from feedback_pipeline_tests.api.conftest import SECRET, api_settings, bearer, token
from feedback_pipeline_tests.api.probes import add_probes

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An application that tells who it takes its caller for, and lets one address fail as often as it likes."""
    folder = tmp_path_factory.mktemp("auth")
    app = create_app(api_settings(folder, api_sign_in_rate_limit="100000/minute"))
    add_probes(app)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def refused(probes: TestClient, sent: str) -> str:
    """Send a token that must not get in, and return what is said about it."""
    answer = probes.get("/probe", headers={"Authorization": f"Bearer {sent}"})
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert sent not in answer.text
    return answer.json()["detail"]


def speaking_for(user: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers of a backend that names a user."""
    return [(b"Authorization", bearer(acts_for_users=True)["Authorization"].encode()), (b"On-Behalf-Of", user)]


def part(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def test_a_token_says_who_calls_and_what_they_may(probes: TestClient) -> None:
    headers = bearer("ann", "reviewer", databases=["shop", "crm"], acts_for_users=True)

    caller = probes.get("/probe", headers=headers).json()

    assert caller == {
        "subject": "ann",
        "role": "reviewer",
        "databases": ["crm", "shop"],
        "acts_for_users": True,
    }


def test_without_claims_a_caller_is_a_user_of_all_databases(probes: TestClient) -> None:
    caller = probes.get("/probe", headers=bearer("ann", None)).json()

    assert caller == {"subject": "ann", "role": "user", "databases": None, "acts_for_users": False}


@pytest.mark.parametrize(("role", "roles"), [("user", ["admin"]), ("reviewer", ["admin", "user"]), ("admin", ["user"])])
def test_a_role_wins_over_a_list_of_roles(probes: TestClient, role: str, roles: list[str]) -> None:
    caller = probes.get("/probe", headers=bearer("ann", role, roles=roles)).json()

    assert caller["role"] == role


@pytest.mark.parametrize("subject", ["Ann-Åsa Müller", "ann@example.org", "用户", "auth0|0123"])
def test_an_id_may_hold_whatever_shows(probes: TestClient, subject: str) -> None:
    assert probes.get("/probe", headers=bearer(subject)).json()["subject"] == subject


def test_no_database_at_all_is_not_all_of_them(probes: TestClient) -> None:
    assert probes.get("/probe", headers=bearer(databases=[])).json()["databases"] == []


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"role": None, "roles": ["reviewer"]}, "reviewer"),
        ({"role": None, "roles": ["user", "admin", "reviewer"]}, "admin"),
        ({"role": None, "roles": ["billing", "offline_access"]}, "user"),
    ],
)
def test_the_highest_of_several_roles_counts(probes: TestClient, claims: dict[str, Any], role: str) -> None:
    assert probes.get("/probe", headers=bearer(**claims)).json()["role"] == role


def test_without_a_token_nobody_gets_in(probes: TestClient) -> None:
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Basic YW5uOmFubg=="}):
        answer = probes.get("/probe", headers=headers)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "no_token"


def test_unsigned_tokens_are_refused(probes: TestClient) -> None:
    claims = {
        "sub": "ann",
        "role": "admin",
        "iss": "feedback-pipeline",
        "aud": "feedback-pipeline",
        "exp": 4_000_000_000,
    }

    for algorithm in ("none", "None", "NONE", "nOnE"):
        unsigned = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}."
        assert "algorithm" in refused(probes, unsigned)
    assert refused(probes, jwt.encode(claims, "", algorithm="none"))


def test_a_token_signed_with_another_secret_is_refused(probes: TestClient) -> None:
    claims = jwt.decode(token("ann", "admin"), options={"verify_signature": False})

    for secret in (SECRET[:-1] + "?", SECRET.upper(), "x" * 40):
        assert "signature" in refused(probes, jwt.encode(claims, secret, algorithm="HS256"))


def test_the_algorithm_is_pinned_even_with_the_right_secret(probes: TestClient) -> None:
    claims = jwt.decode(token(), options={"verify_signature": False})

    for algorithm in ("HS384", "HS512"):
        assert "algorithm" in refused(probes, jwt.encode(claims, SECRET * 2, algorithm=algorithm))


def test_a_payload_that_was_changed_is_refused(probes: TestClient) -> None:
    header, body, signature = token("ann", "user").split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))

    forged = f"{header}.{part({**claims, 'role': 'admin'})}.{signature}"

    assert "signature" in refused(probes, forged)
    assert "signature" in refused(probes, f"{header}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}")
    assert refused(probes, f"{header}.{body}.")


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": datetime.now(UTC) - HOUR}, "expired"),
        ({"exp": datetime.now(UTC) - timedelta(seconds=15)}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "readable"),
        ({"exp": "4000000000"}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"exp": 4_000_000_000_000}, "exp"),
        ({"exp": float("inf")}, "readable"),
        ({"nbf": datetime.now(UTC) + HOUR}, "not valid yet"),
        ({"iat": datetime.now(UTC) + HOUR}, "not valid yet"),
        ({"aud": "another"}, "audience"),
        ({"aud": None}, "aud"),
        ({"aud": {"x": 1}}, "audience"),
        ({"iss": "another"}, "issuer"),
        ({"iss": None}, "iss"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "  "}, "sub"),
        ({"sub": 17}, "readable"),
        ({"sub": "x" * 201}, "sub"),
        ({"sub": "a\0b"}, "sub"),
        ({"sub": "a\x1bb"}, "sub"),
        ({"sub": "\ud800"}, "sub"),
        ({"sub": "a\tb"}, "sub"),
        ({"sub": "ann\n"}, "sub"),
        ({"sub": "an\u200bn"}, "sub"),
        ({"sub": "\u202eann"}, "sub"),
        ({"sub": "ann\ufeff"}, "sub"),
        ({"sub": "an\u00adn"}, "sub"),
        ({"sub": "ann\u2028"}, "sub"),
        ({"role": "user", "roles": "admin"}, "roles"),
        ({"role": "root"}, "role"),
        ({"role": "ADMIN"}, "role"),
        ({"role": ["admin"]}, "role"),
        ({"role": 3}, "role"),
        ({"roles": "admin"}, "roles"),
        ({"roles": [1]}, "roles"),
        ({"databases": "shop"}, "databases"),
        ({"databases": ["shop", 1]}, "databases"),
        ({"databases": {"shop": True}}, "databases"),
        ({"databases": 0}, "databases"),
        ({"acts_for_users": "true"}, "acts_for_users"),
        ({"acts_for_users": 1}, "acts_for_users"),
    ],
)
def test_a_token_with_wrong_claims_is_refused_and_told_which(
    probes: TestClient, claims: dict[str, Any], said: str
) -> None:
    assert said in refused(probes, token(**claims))


@pytest.mark.parametrize("claim", ["role", "roles", "databases", "acts_for_users", "sub"])
def test_a_claim_that_is_null_is_refused_not_taken_for_absent(probes: TestClient, claim: str) -> None:
    claims = {**jwt.decode(token(), options={"verify_signature": False}), claim: None}

    assert claim in refused(probes, jwt.encode(claims, SECRET, algorithm="HS256"))


def test_clocks_may_be_a_few_seconds_apart(probes: TestClient) -> None:
    late = bearer(exp=datetime.now(UTC) - timedelta(seconds=4))
    early = bearer(nbf=datetime.now(UTC) + timedelta(seconds=4))

    assert [probes.get("/probe", headers=headers).status_code for headers in (late, early)] == [200, 200]


@pytest.mark.parametrize("sent", ["x", "a.b", "a.b.c", "..", "é", "x" * (LONGEST_TOKEN + 1), "e30.e30.e30"])
def test_what_is_no_token_is_refused(probes: TestClient, sent: str) -> None:
    answer = probes.get("/probe", headers=[(b"Authorization", f"Bearer {sent}".encode())])

    assert answer.status_code == 401


def test_a_refused_token_does_not_close_public_routes(probes: TestClient) -> None:
    assert probes.get("/readyz", headers={"Authorization": "Bearer of-something-else"}).status_code == 200


def test_a_backend_speaks_for_a_user_with_the_rights_of_that_user_alone(probes: TestClient) -> None:
    backend = {**bearer("backend", "reviewer", acts_for_users=True, databases=["shop"]), "On-Behalf-Of": "bob"}

    caller = probes.get("/probe", headers=backend).json()

    assert caller == {"subject": "bob", "role": "user", "databases": ["shop"], "acts_for_users": False}


def test_an_admin_may_speak_for_a_user(probes: TestClient) -> None:
    headers = {**bearer("root", "admin"), "On-Behalf-Of": "bob"}

    assert probes.get("/probe", headers=headers).json()["subject"] == "bob"


def test_ids_of_users_are_read_as_utf_8(probes: TestClient) -> None:
    assert probes.get("/probe", headers=speaking_for("Åsa Ünal".encode())).json()["subject"] == "Åsa Ünal"


@pytest.mark.parametrize("role", ["user", "reviewer"])
def test_nobody_else_may_speak_for_a_user(probes: TestClient, role: str) -> None:
    answer = probes.get("/probe", headers={**bearer("ann", role), "On-Behalf-Of": "bob"})

    assert answer.status_code == 403
    assert answer.json()["code"] == "may_not_act_for_users"


@pytest.mark.parametrize("name", [b"", b"   ", b"x" * 201, b"a\tb\x01"])
def test_a_user_to_speak_for_has_to_be_a_user_id(probes: TestClient, name: bytes) -> None:
    answer = probes.get("/probe", headers=speaking_for(name))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "header.On-Behalf-Of"


def test_what_reviewers_do_is_done_by_nobody_on_behalf_of_another(probes: TestClient) -> None:
    headers = {**bearer("root", "admin"), "On-Behalf-Of": "bob"}

    assert probes.get("/probe/reviewer", headers=headers).status_code == 403
    assert probes.get("/probe/admin", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("role", "expected"), [("user", [200, 403, 403]), ("reviewer", [200, 200, 403]), ("admin", [200, 200, 200])]
)
def test_each_role_may_what_those_before_it_may(probes: TestClient, role: str, expected: list[int]) -> None:
    paths = ("/probe", "/probe/reviewer", "/probe/admin")

    assert [probes.get(path, headers=bearer("ann", role)).status_code for path in paths] == expected


def test_there_is_no_default_secret(tmp_path: Path) -> None:
    with pytest.raises(SigningKeyError, match=r"no default one.*FEEDBACK_JWT_SECRET.*FEEDBACK_JWT_JWKS_URL"):
        create_app(api_settings(tmp_path, jwt_secret=None))
    assert not (tmp_path / "jwt.key").exists()


def test_in_development_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = api_settings(tmp_path, jwt_secret=None)

    create_app(settings, development=True)
    made = (tmp_path / "jwt.key").read_text()
    create_app(settings, development=True)

    assert (tmp_path / "jwt.key").read_text() == made
    assert len(made) == 64
    assert (tmp_path / "jwt.key").stat().st_mode & 0o777 == 0o600


def test_a_generated_secret_is_not_used_outside_development(tmp_path: Path) -> None:
    settings = api_settings(tmp_path, jwt_secret=None)
    create_app(settings, development=True)

    with pytest.raises(SigningKeyError):
        create_app(settings)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"jwt_secret": ""}, "has 0 bytes"),
        ({"jwt_secret": "x" * 31}, "has 31 bytes, at least 32"),
        ({"jwt_jwks_url": "https://id.example.com/keys"}, "both set"),
        ({"jwt_secret": None, "jwt_jwks_url": "file:///etc/passwd"}, "https://"),
        ({"jwt_secret": None, "jwt_jwks_url": "https://id.example.com", "jwt_algorithms": "HS256"}, "public keys"),
        ({"jwt_secret": None, "jwt_jwks_url": "https://id.example.com", "jwt_algorithms": "RS256,none"}, "public keys"),
        ({"jwt_secret": None, "jwt_jwks_url": "https://id.example.com", "jwt_algorithms": " , "}, "public keys"),
    ],
)
def test_keys_that_cannot_be_safe_are_refused_at_the_start(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SigningKeyError, match=said):
        create_app(api_settings(tmp_path, **changes))


def test_a_short_key_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "jwt.key").write_text("abc")

    with pytest.raises(SigningKeyError, match=r"jwt\.key is cut short.*Delete it"):
        create_app(api_settings(tmp_path, jwt_secret=None), development=True)
