"""``dataset pin``, ``unpin`` and ``prune``."""

from pathlib import Path

import pytest

from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.finetune.written import left_in, write_release


@pytest.fixture
def catalog(tmp_path: Path) -> ReleaseCatalog:
    """Versions 1 to 4 where the command looks for them."""
    for version in range(1, 5):
        write_release(tmp_path / "data", version)
    return ReleaseCatalog(str(tmp_path / "data"))


def test_a_pinned_version_survives_pruning(catalog: ReleaseCatalog, run: Run, run_json: RunJson) -> None:
    pinned = run_json("dataset", "pin", "text2sql@v1", "--reason", "the paper")

    pruned = run_json("dataset", "prune", "text2sql", "--keep", 1)

    assert pinned == {"name": "text2sql", "version": 1, "pinned": [1]}
    assert (pruned["retired"], pruned["kept"], pruned["dry_run"]) == ([2, 3], [1, 4], False)
    assert pruned["bytes"] > 1_000
    assert left_in(catalog.look_up("text2sql@v2")) == ["README.md", "manifest.json"]
    assert "retention, keep 1; take v4 or later" in run("dataset", "list").stdout


def test_a_version_that_a_model_was_trained_on_survives_pruning(
    catalog: ReleaseCatalog, run: Run, run_json: RunJson
) -> None:
    assert run("models", "add", "ranker", "--trained-on", "text2sql@v2").exit_code == 0

    assert run_json("dataset", "prune", "text2sql", "--keep", 1)["retired"] == [1, 3]


def test_a_dry_run_removes_nothing_and_tells_the_same(catalog: ReleaseCatalog, run: Run, run_json: RunJson) -> None:
    planned = run_json("dataset", "prune", "text2sql", "--keep", 2, "--dry-run")
    text = run("dataset", "prune", "text2sql", "--keep", 2, "--dry-run").stdout

    assert len(left_in(catalog.find("text2sql@v1"))) == 6
    assert "would lose their data: v1, v2" in text
    assert run_json("dataset", "prune", "text2sql", "--keep", 2) == {**planned, "dry_run": False}


def test_how_many_are_kept_is_a_setting(
    catalog: ReleaseCatalog, run: Run, run_json: RunJson, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_json("dataset", "prune", "text2sql")["retired"] == []
    monkeypatch.setenv("FEEDBACK_KEEP_DATASET_VERSIONS", "3")
    from feedback_pipeline.settings import get_settings

    get_settings.cache_clear()

    assert "lost their data: v1 (" in run("dataset", "prune", "text2sql").stdout


def test_unpinning_says_whether_there_was_a_pin(catalog: ReleaseCatalog, run: Run, run_json: RunJson) -> None:
    run("dataset", "pin", "text2sql@v1")
    assert "pinned versions: v1, v4" in run("dataset", "pin", "text2sql").stdout

    first, second = (run_json("dataset", "unpin", "text2sql@v1") for _ in range(2))

    assert (first["was_pinned"], second["was_pinned"], second["pinned"]) == (True, False, [4])


def test_what_cannot_be_done_is_explained(catalog: ReleaseCatalog, run: Run) -> None:
    unknown = run("dataset", "pin", "text2sql@v9")
    assert (unknown.exit_code, unknown.stderr) == (
        1,
        "error: dataset text2sql has no version 9; it has v1, v2, v3, v4\n",
    )
    assert run("dataset", "prune", "nope").stderr == "error: no dataset 'nope'; released datasets: text2sql\n"
    assert run("dataset", "prune", "text2sql", "--keep", -1).exit_code == 2
    (Path(catalog.root) / "text2sql" / "pins.json").write_text("{")
    assert "pins.json is damaged" in run("dataset", "prune", "text2sql", "--keep", 1).stderr
    assert len(left_in(catalog.find("text2sql@v1"))) == 6
