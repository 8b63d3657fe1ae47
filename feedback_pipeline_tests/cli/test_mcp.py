"""What the command refuses before it serves anything; what it serves is tested beside the adapter."""

import json
import subprocess
import sys

import pytest

from feedback_pipeline_tests.cli.conftest import Run


@pytest.mark.parametrize("http", ["", "port", "127.0.0.1:", "127.0.0.1:70000", "-1", "²"])
def test_an_address_that_is_none_is_a_usage_error(run: Run, http: str) -> None:
    result = run("mcp", f"--http={http}")

    assert result.exit_code == 2
    assert "HOST:PORT" in result.stderr


@pytest.mark.parametrize("http", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8765", "example.com:8765"])
def test_other_machines_are_served_only_under_a_name_that_is_told(run: Run, http: str) -> None:
    result = run("mcp", "--http", http)

    assert result.exit_code == 2
    assert "--allowed-host" in result.stderr


def test_a_budget_below_one_is_a_usage_error(run: Run) -> None:
    assert run("mcp", "--max-tokens", 0).exit_code == 2


def test_without_the_extra_the_command_says_what_to_install(tmp_path) -> None:
    script = "import sys; sys.modules['mcp'] = None; from feedback_pipeline.cli import app; app(['mcp'])"

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)

    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert "pip install 'feedback-pipeline[mcp]'" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_help_loads_no_framework() -> None:
    script = """
import json, sys
from feedback_pipeline.cli import app
try:
    app(["--help"])
except SystemExit:
    print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    loaded = set(json.loads(said.splitlines()[-1]))
    assert "mcp" in said
    assert loaded.isdisjoint({"mcp", "mcp_types", "langchain_core", "llama_index", "fastapi", "lancedb", "sqlalchemy"})
