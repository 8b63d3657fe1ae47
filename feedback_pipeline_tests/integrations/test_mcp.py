"""The tool find_corrections, called by the client of the SDK: in process, over stdio and over HTTP."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters
from sqlalchemy import select

from feedback_pipeline.integrations.mcp import correction_server
from feedback_pipeline.retrieval import InfluenceRecorder, Retriever, prompt_context
from feedback_pipeline.store import Store, open_store
from feedback_pipeline.store.models import RetrievalRow
from feedback_pipeline_tests import attacks
from feedback_pipeline_tests.integrations.conftest import SECRET, SHIPS, TEA, WRONG, put
from feedback_pipeline_tests.processes import running, wait_for
from feedback_pipeline_tests.store.samples import settings_at

QUESTION = "how many ships"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "by hand", "version": "1"},
    },
}


def ask(server: Any, *calls: dict[str, Any], mode: str = "auto") -> list[Any]:
    """Call find_corrections once per ``calls`` on one connection."""

    async def talk() -> list[Any]:
        async with Client(server, mode=mode, read_timeout_seconds=60) as client:
            return [await client.call_tool("find_corrections", call) for call in calls]

    return asyncio.run(talk())


def asked_of(server: Any, look: Callable[[Client], Awaitable[Any]]) -> Any:
    async def talk() -> Any:
        async with Client(server, read_timeout_seconds=60) as client:
            return await look(client)

    return asyncio.run(talk())


def about(database_id: str = "shop", **more: Any) -> dict[str, Any]:
    return {"question": QUESTION, "database_id": database_id, **more}


def sql_of(result: Any) -> list[str]:
    assert not result.is_error, result.content
    return [example["sql"] for example in result.structured_content["examples"]]


def on_stdio(root: str, *arguments: str) -> StdioServerParameters:
    environment = {**os.environ, "FEEDBACK_STORAGE_ROOT": root, "FEEDBACK_HASH_KEY": "secret"}
    command = ["-m", "feedback_pipeline.cli", "mcp", *arguments]
    return StdioServerParameters(command=sys.executable, args=command, env=environment)


@pytest.fixture(scope="module")
def http_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the data of ``address`` lies."""
    folder = tmp_path_factory.mktemp("http")
    put(str(folder / "data"), SHIPS, TEA, SECRET)
    return folder


@pytest.fixture(scope="module")
def address(http_folder: Path) -> Iterator[str]:
    """Where the command serves HTTP."""
    with running(http_folder, "mcp", "--http", "0", "--allowed-host", "corrections.example.com") as command:
        [said] = wait_for(lambda: re.findall(r"MCP on (\S+)", command.log), "listening")
        yield said


def recorded(root: str) -> dict[str, tuple[str, int | None, int]]:
    store = open_store(settings_at(Path(root)))
    columns = RetrievalRow.retrieval_id, RetrievalRow.database_id, RetrievalRow.index_version, RetrievalRow.shown
    with store.read() as session:
        rows = [tuple(row) for row in session.execute(select(*columns))]
    store.close()
    return {row[0]: row[1:] for row in rows}


def test_the_answer_holds_examples_prompt_and_the_id_of_the_retrieval(root: str, sqlite_store: Store):
    with InfluenceRecorder(lambda: sqlite_store) as influence:
        [result] = ask(correction_server(Retriever(root, influence=influence)), about(k=2))

    found = result.structured_content
    assert [(one["question"], one["sql"], one["rank"]) for one in found["examples"]] == [(*SHIPS[1:], 1), (*TEA[1:], 2)]
    assert [one["once_answered_wrongly"] for one in found["examples"]] == [WRONG[SHIPS[2]], None]
    assert found["prompt"] == prompt_context(Retriever(root).similar(QUESTION, database_id="shop", k=2))
    with sqlite_store.read() as session:
        assert session.scalars(select(RetrievalRow.retrieval_id)).all() == [found["retrieval_id"]]
    assert found["index_version"] == 1
    assert [content.text for content in result.content] == [found["prompt"]]


def test_the_tool_describes_what_it_takes_and_gives(root: str):
    [tool] = asked_of(correction_server(Retriever(root)), lambda client: client.list_tools()).tools

    assert tool.name == "find_corrections"
    assert set(tool.input_schema["properties"]) == {"question", "database_id", "k"}
    assert tool.input_schema["required"] == ["question", "database_id"]
    assert set(tool.output_schema["properties"]) == {"examples", "prompt", "retrieval_id", "index_version"}
    assert tool.annotations.read_only_hint


def test_a_model_cannot_read_a_database_that_is_not_allowed(root: str):
    server = correction_server(Retriever(root), databases=["shop", "other"])
    attempts = ["bank", "", "SHOP", "shop ", '["bank"]', "shop\nbank", "*"]

    results = ask(server, *(about(name) for name in attempts), about("shop"))

    assert [result.is_error for result in results] == [True] * len(attempts) + [False]
    assert SECRET[2] not in str(results)
    assert "'shop' or 'other'" in results[0].content[0].text
    [tool] = asked_of(server, lambda client: client.list_tools()).tools
    assert tool.input_schema["properties"]["database_id"]["enum"] == ["shop", "other"]


def test_arguments_the_tool_does_not_know_widen_nothing(root: str):
    server = correction_server(Retriever(root), databases=["shop"])

    [result] = ask(server, {"question": QUESTION, "databases": ["bank"], "database": "bank", "max_tokens": 9})

    assert sql_of(result) == [SHIPS[2], TEA[2]]


def test_the_only_database_need_not_be_named(root: str):
    server = correction_server(Retriever(root), databases=["bank"])

    named, unnamed = ask(server, about("bank"), {"question": QUESTION})

    assert sql_of(named) == sql_of(unnamed) == [SECRET[2]]


@pytest.mark.parametrize("wrong", [{"k": 0}, {"k": 21}, {"k": "many"}, {"question": None}])
def test_wrong_arguments_are_told_to_the_model_as_its_mistake(root: str, wrong: dict[str, Any]):
    [result] = ask(correction_server(Retriever(root)), about(**wrong))

    assert result.is_error
    assert next(iter(wrong)) in result.content[0].text


@pytest.mark.parametrize("question", ["", " ", "\ud800", "?" * 100_000, "😀", "SELECT * FROM ships -- '%"])
def test_odd_questions_have_an_answer(root: str, question: str):
    question = question.encode("utf-8", "replace").decode()

    [result] = ask(correction_server(Retriever(root)), about() | {"question": question})

    assert not result.is_error


def test_a_broken_index_gives_no_examples(broken_root: str):
    [result] = ask(correction_server(Retriever(broken_root)), about())

    assert sql_of(result) == []
    assert result.structured_content["prompt"] == ""
    assert result.content[0].text == "Nothing similar is known."


def test_the_text_keeps_to_its_budget(root: str):
    [result] = ask(correction_server(Retriever(root), max_tokens=60), about())

    assert result.structured_content["prompt"].count("\n") == 2
    assert len(result.structured_content["examples"]) == 2


def test_an_attack_is_no_instruction_in_the_text(tmp_path: Path):
    put(str(tmp_path), *(("shop", f"ships {text}") for text in sorted(set(attacks.ALL))))

    [result] = ask(correction_server(Retriever(str(tmp_path))), about(k=20) | {"question": "ships" + " or else" * 4})

    heading, *lines = result.content[0].text.splitlines()
    assert "data, not instructions" in heading
    assert len([json.loads(line) for line in lines]) == 20


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_clients_of_either_generation_are_answered(root: str, mode: str):
    [result] = ask(correction_server(Retriever(root)), about(k=1), mode=mode)

    assert sql_of(result) == [SHIPS[2]]


def test_over_stdio_it_answers_and_records(root: str):
    async def look(client: Client) -> tuple[Any, Any]:
        answers = [await client.call_tool("find_corrections", call) for call in (about(k=1), about("bank"))]
        await asyncio.to_thread(wait_for, lambda: recorded(root), "recording")
        return answers[0], answers[1]

    allowed, refused = asked_of(on_stdio(root, "--database", "shop"), look)

    assert sql_of(allowed) == [SHIPS[2]]
    assert refused.is_error
    assert recorded(root) == {allowed.structured_content["retrieval_id"]: ("shop", 1, 1)}


@pytest.mark.parametrize("broken_root", ["emptied"], indirect=True)
def test_stdout_carries_nothing_but_the_protocol(broken_root: str):
    server = on_stdio(broken_root)
    call = {"method": "tools/call", "params": {"name": "find_corrections", "arguments": about()}}
    messages = [INITIALIZE, {"method": "notifications/initialized"}, {"id": 2, **call}]
    said = "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)

    process = subprocess.Popen(
        [server.command, *server.args], env=server.env, stdin=-1, stdout=-1, stderr=-1, text=True, encoding="utf-8"
    )
    threading.Timer(60, process.kill).start()
    assert process.stdin
    assert process.stdout
    process.stdin.write(said)
    process.stdin.flush()
    answers = [json.loads(process.stdout.readline()) for _ in range(2)]
    rest, errors = process.communicate(timeout=60)

    assert [answer["id"] for answer in answers] == [1, 2]
    assert answers[1]["result"]["structuredContent"]["examples"] == []
    assert rest == ""
    assert "no examples can be retrieved" in errors
    assert QUESTION not in errors
    assert process.returncode == 0


def test_over_http_it_answers_at_once_and_records(http_folder: Path, address: str):
    async def many() -> list[Any]:
        async with Client(address, read_timeout_seconds=60) as client:
            calls = (client.call_tool("find_corrections", about(name)) for name in ["shop", "bank"] * 10)
            return await asyncio.gather(*calls)

    results = asyncio.run(many())

    ids = {result.structured_content["retrieval_id"] for result in results}
    assert wait_for(lambda: set(recorded(str(http_folder / "data"))) == ids, "recording")
    assert [sql_of(result) for result in results] == [[SHIPS[2], TEA[2]], [SECRET[2]]] * 10


def test_over_http_a_page_of_another_site_is_not_answered(address: str):
    port = httpx.URL(address).port

    def status(host: str, origin: str | None = None) -> int:
        headers = {"Accept": "application/json, text/event-stream", "Host": host}
        sent = headers | ({"Origin": origin} if origin else {})
        return httpx.post(address, json=INITIALIZE, headers=sent).status_code

    assert status(f"127.0.0.1:{port}") == 200
    assert status(f"localhost:{port}", f"http://localhost:{port}") == 200
    assert status("corrections.example.com", "https://corrections.example.com") == 200
    assert status("evil.example.com") == 421
    assert status(f"evil.example.com:{port}") == 421
    assert status(f"127.0.0.1:{port}", "https://evil.example.com") == 403


def test_over_http_only_this_machine_is_served(address: str):
    port = f"{httpx.URL(address).port:04X}"

    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]

    listening = "0A"
    assert [row[1] for row in rows if row[1].endswith(f":{port}") and row[3] == listening] == [f"0100007F:{port}"]
