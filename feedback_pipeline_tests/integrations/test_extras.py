"""Frameworks are loaded by their own adapter alone, fetch nothing, and are named where they are missing."""

import subprocess
import sys

import pytest

ADAPTERS = [("langchain", "langchain_core"), ("llamaindex", "llama_index"), ("mcp", "mcp")]

OFFLINE = """
import sys
def forbid(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request", "subprocess.Popen"):
        raise SystemExit(f"{event}: {arguments}")
sys.addaudithook(forbid)
"""
ANSWERED = """
class Nothing:
    examples, retrieval_id, index_version = (), None, None
    def retrieve(self, natural_query, **wanted):
        return Nothing()
"""
USES = {
    "langchain": "adapter.CorrectionSelector(Nothing(), database_id='shop').select_examples({'question': 'q'})",
    "llamaindex": "adapter.CorrectionRetriever(Nothing(), database_id='shop').retrieve('q')",
    "mcp": "adapter.correction_server(Nothing())",
}


def python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(("extra", "package"), ADAPTERS)
def test_a_missing_framework_is_named_with_the_extra_to_install(extra: str, package: str):
    ended = python(f"import sys; sys.modules[{package!r}] = None; import feedback_pipeline.integrations.{extra}")

    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert "MissingExtraError: No module named" in last
    assert package in last
    assert last.endswith(f"Run: pip install 'feedback-pipeline[{extra}]'")


@pytest.mark.parametrize("extra", USES)
def test_an_adapter_is_imported_and_used_without_the_network(extra: str):
    use = f"import feedback_pipeline.integrations.{extra} as adapter\n{USES[extra]}"

    ended = python(f"{OFFLINE}{ANSWERED}{use}")

    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_package_itself_loads_no_framework():
    ended = python("import sys, feedback_pipeline.integrations; print(*sys.modules)")

    loaded = {name.split(".")[0] for name in ended.stdout.split()}
    assert loaded.isdisjoint({"mcp", "langchain_core", "llama_index", "httpx", "lancedb", "numpy", "pydantic"})
