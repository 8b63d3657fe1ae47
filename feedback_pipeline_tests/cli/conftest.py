"""A command line with a storage root of its own."""

import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import feedback_pipeline
from feedback_pipeline.cli import app
from feedback_pipeline.settings import get_settings

SAMPLES = Path(feedback_pipeline.__file__).parents[1] / "data" / "samples"

Run = Callable[..., Result]
RunJson = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Call the command with arguments; its store is empty at first."""
    monkeypatch.setenv("FEEDBACK_STORAGE_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("FEEDBACK_HASH_KEY", "secret")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
    get_settings.cache_clear()


@pytest.fixture
def run_json(run: Run) -> RunJson:
    """Call the command with ``--json`` and return the document it prints."""
    return lambda *arguments: json.loads(run(*arguments, "--json").stdout)


@pytest.fixture
def shop(run: Run, tmp_path: Path) -> Path:
    """Register the sample database ``shop``."""
    path = tmp_path / "shop.sqlite"
    runpy.run_path(str(SAMPLES / "build_shop.py"))["build"](path)
    assert run("databases", "add", "shop", "--dialect", "sqlite", "--url", path).exit_code == 0
    return path
