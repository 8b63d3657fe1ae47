"""Agents import retrieval in their own process, so it must be quick and bring nothing heavy along."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys, time
started = time.process_time()
import {module}
seconds = time.process_time() - started
print(json.dumps([seconds, sorted({{name.split(".")[0] for name in sys.modules}})]))
"""


# Processor time is measured, so that a machine busy with something else does not count against the import.


def import_of(module: str) -> tuple[float, set[str]]:
    command = [sys.executable, "-c", SCRIPT.format(module=module)]
    seconds, names = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return seconds, set(names)


@pytest.mark.parametrize("module", ["feedback_pipeline.retrieval", "feedback_pipeline.settings"])
def test_importing_is_quick_and_light(module: str):
    tries = [import_of(module) for _ in range(3)]

    assert min(seconds for seconds, _ in tries) < 0.5
    heavy = {"dagster", "torch", "pandas", "daft", "lancedb", "transformers", "sentence_transformers", "sqlalchemy"}
    heavy |= {"presidio_analyzer", "spacy", "detect_secrets"}
    assert tries[0][1].isdisjoint(heavy)


def test_the_http_client_brings_along_nothing_of_the_server():
    tries = [import_of("feedback_pipeline.client") for _ in range(3)]

    assert min(seconds for seconds, _ in tries) < 0.5
    assert tries[0][1].isdisjoint(
        {"fastapi", "starlette", "sqlalchemy", "dagster", "lancedb", "pyarrow", "numpy", "pydantic"}
    )


def test_the_encoder_module_costs_no_torch():
    assert import_of("feedback_pipeline.curation.encoder")[1].isdisjoint({"torch", "transformers", "dagster"})
