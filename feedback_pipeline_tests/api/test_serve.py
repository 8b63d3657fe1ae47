"""The server as a process: how it starts, what it says, and that nothing is left of it."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.api.server import AddressError, configuration, is_loopback, listen
from feedback_pipeline_tests.api.conftest import SECRET, api_settings, bearer, token
from feedback_pipeline_tests.processes import Running, all_gone, free_port, running, wait_for


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Running]:
    """A server with its companion, ready to answer; tests that end it take one of their own."""
    with running(tmp_path_factory.mktemp("serve"), "serve", "--port", str(port), FEEDBACK_JWT_SECRET=SECRET) as server:
        wait_until_ready(port)
        yield server


def wait_until_ready(port: int) -> None:
    wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200, "a ready server")


def test_it_says_where_everything_is_and_answers(serving: Running, port: int) -> None:
    assert f"http://127.0.0.1:{port}/docs" in serving.log
    assert f"http://127.0.0.1:{port}/review" in serving.log
    assert "feedback-pipeline token --sub" in serving.log

    answer = httpx.get(f"http://127.0.0.1:{port}/feedback?mine=true", headers=bearer())

    assert answer.status_code == 200
    assert "server" not in answer.headers


def test_it_answers_what_is_under_way_and_ends_with_all_it_started(tmp_path: Path) -> None:
    port = free_port()
    request = (
        f"POST /feedback HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer()['Authorization']}\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    )
    with running(tmp_path, "serve", "--port", str(port), FEEDBACK_JWT_SECRET=SECRET) as server:
        wait_until_ready(port)
        children = wait_for(server.children, "the companion")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(request.encode())
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            client.sendall(b"{}")
            answer = client.recv(4_096)

        assert answer.startswith(b"HTTP/1.1 422")
        assert server.process.wait(60) == 0
        assert any("triage --follow" in command for command in children.values())
        wait_for(lambda: all_gone(children), "the end of all child processes")
    assert "Traceback" not in server.log


def test_a_companion_that_dies_is_started_again(serving: Running) -> None:
    (companion,) = wait_for(serving.children, "the companion")

    os.kill(companion, signal.SIGKILL)

    wait_for(lambda: "is started again" in serving.log, "a word about it")
    wait_for(lambda: set(serving.children()) - {companion}, "another companion")


def test_the_log_is_json_of_requests_without_their_paths(serving: Running, port: int) -> None:
    httpx.get(f"http://127.0.0.1:{port}/feedback/some-id?private=words", headers=bearer("private"))

    lines = wait_for(lambda: [json.loads(li) for li in serving.log.splitlines() if "{feedback_id}" in li], "the line")

    assert lines[0]["route"] == "/feedback/{feedback_id}"
    assert "private" not in serving.log
    assert "some-id" not in serving.log


def test_several_workers_answer_with_one_generated_secret_and_end_at_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, "serve", "--port", str(port), "--workers", "2", "--no-triage") as server:
        wait_until_ready(port)
        assert "No FEEDBACK_JWT_SECRET is set" in server.log
        secret = (tmp_path / "data" / "jwt.key").read_text()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("feedback_pipeline_tests.api.conftest.SECRET", secret)
            headers = bearer()
        answers = [httpx.get(f"http://127.0.0.1:{port}/feedback?mine=true", headers=headers) for _ in range(10)]
        children = server.children()
        server.process.send_signal(signal.SIGINT)

        assert {answer.status_code for answer in answers} == {200}
        assert server.process.wait(60) == 0
        wait_for(lambda: all_gone(children), "the end of the workers")


def test_a_taken_port_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with running(tmp_path, "serve", "--port", port, FEEDBACK_JWT_SECRET=SECRET) as server:
            assert server.process.wait(60) == 1

    assert f"error: cannot listen on 127.0.0.1:{port}: Address already in use" in server.log
    assert "Traceback" not in server.log


def test_without_a_secret_it_only_starts_where_nobody_else_can_reach_it(tmp_path: Path) -> None:
    with running(tmp_path, "serve", "--host", "0.0.0.0", "--port", str(free_port())) as server:
        assert server.process.wait(60) == 1

    assert "no default one. Set FEEDBACK_JWT_SECRET" in server.log
    assert not (tmp_path / "data" / "jwt.key").exists()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.1.5", False),
        ("localhost.example.com", False),
        ("example.com", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_addresses_of_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(AddressError, match=r"no-such-host\.invalid:8000"):
        listen("no-such-host.invalid", 8000)


def test_many_requests_at_once_are_all_answered(serving: Running, port: int) -> None:
    statuses: list[int] = []

    def ask() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=bearer(), timeout=30) as client:
            statuses.extend(client.get("/feedback?mine=true").status_code for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 100


@contextmanager
def served(folder: Path, **changes: str) -> Iterator[TestClient]:
    """An application as the server has it, asked by the same machine."""
    settings = api_settings(folder, api_sign_in_rate_limit="2/hour", **changes)
    config = configuration(settings, create_app(settings), log_config=None)
    config.load()
    app: Any = config.loaded_app
    with TestClient(app, client=("127.0.0.1", 50_000), follow_redirects=False) as client:
        yield client


def guesses(client: TestClient) -> list[int]:
    """Guess tokens, each time in the name of another address."""
    sent = ({"X-Forwarded-For": f"203.0.113.{number}"} for number in range(3))
    return [client.post("/sign-in", data={"token": "wrong"}, headers=headers).status_code for headers in sent]


def test_nobody_is_believed_to_speak_for_other_addresses_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")

    with served(tmp_path) as client:
        answer = client.post(
            "/sign-in", data={"token": token("rita", "reviewer")}, headers={"X-Forwarded-Proto": "https"}
        )
        found = guesses(client)

    assert "secure" not in answer.headers["set-cookie"].lower()
    assert found == [401, 429, 429]


@pytest.mark.parametrize("proxies", ["127.0.0.1", "10.0.0.7, 127.0.0.0/8", "*"])
def test_a_trusted_proxy_says_who_asks_and_by_which_scheme(tmp_path: Path, proxies: str) -> None:
    with served(tmp_path, api_trusted_proxies=proxies) as client:
        found = guesses(client)
        answer = client.post(
            "/sign-in", data={"token": token("rita", "reviewer")}, headers={"X-Forwarded-Proto": "https"}
        )

    assert found == [401, 401, 401]
    assert answer.headers["set-cookie"].startswith("__Host-")
    assert "secure" in answer.headers["set-cookie"].lower()


def test_another_proxy_than_the_trusted_one_is_not_believed(tmp_path: Path) -> None:
    with served(tmp_path, api_trusted_proxies="10.0.0.7") as client:
        assert guesses(client) == [401, 401, 429]
