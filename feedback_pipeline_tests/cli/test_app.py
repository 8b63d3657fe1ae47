import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from feedback_pipeline import __version__, store
from feedback_pipeline.cli.boundary import UserError, is_expected
from feedback_pipeline.schemas import ContractError
from feedback_pipeline.settings import get_settings
from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.store.running import ROOT

HEAVY = ("torch", "daft", "pyarrow", "pandas", "numpy", "sqlalchemy", "dagster", "lancedb", "sqlglot")


def test_help_and_version(run: Run) -> None:
    shown = run("--help").stdout
    assert all(name in shown for name in ("import", "databases", "review"))
    assert run("--version").stdout.strip() == f"feedback-pipeline {__version__}"
    assert "Usage" in run().output


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from feedback_pipeline.cli import app\n"
        "app(['--help'], standalone_mode=False)\n"
        f"sys.exit(' '.join(set({HEAVY!r}) & set(sys.modules)) or 0)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # Processor time: a busy machine must not fail this.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 1


@pytest.mark.parametrize(
    "error",
    [
        UserError("x"),
        store.StoreUnavailableError("x"),
        store.UnknownDialectError("x"),
        store.DatabaseUnreachableError("x"),
        store.UnknownFeedbackError("x"),
        store.IllegalTransitionError("x", "pending", "applied"),
        store.HashKeyError("x"),
    ],
)
def test_our_own_errors_are_expected(error: BaseException) -> None:
    assert is_expected(error)


def test_bugs_are_not_expected() -> None:
    assert not is_expected(ContractError("x"))
    assert not is_expected(KeyError("x"))


def test_wrong_settings_are_named_by_their_variable(
    run: Run, run_json: RunJson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_MIN_RATING", "9")
    get_settings.cache_clear()
    result = run("review", "list")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the settings cannot be used: FEEDBACK_MIN_RATING: ")
    assert run_json("review", "list")["error"]["type"] == "ValidationError"


def test_an_unusable_store_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", "oracle://nowhere")
    get_settings.cache_clear()
    result = run("review", "list")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "is not supported" in result.stderr


@pytest.mark.parametrize("command", ["models list", "dataset prune text2sql", "status"])
def test_what_a_small_install_cannot_do_is_one_line(command: str, tmp_path: Path) -> None:
    code = "import sys; sys.modules['sqlalchemy'] = None; from feedback_pipeline.cli import app; app()"

    done = subprocess.run(
        [sys.executable, "-c", code, *command.split()],
        cwd=ROOT,
        env=os.environ | {"FEEDBACK_STORAGE_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("error: this command needs the whole pipeline (")
    assert done.stderr.endswith("pip install 'feedback-pipeline[pipeline]'\n")
