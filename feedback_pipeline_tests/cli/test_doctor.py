import shutil
import sqlite3
from pathlib import Path

import pytest

from feedback_pipeline.settings import get_settings
from feedback_pipeline.store import open_store, register_database, request_erasure
from feedback_pipeline_tests.cli.conftest import Run
from feedback_pipeline_tests.defs.pipeline import Pipeline


@pytest.fixture
def findings(run: Run):
    """Run the doctor and return (state, text) by subject; its exit code has to fit."""
    import json

    def look() -> dict[str, tuple[str, str]]:
        get_settings.cache_clear()
        result = run("doctor", "--json")
        assert "Traceback" not in result.output
        found = {f["subject"]: (f["state"], f["text"]) for f in json.loads(result.stdout)["findings"]}
        assert result.exit_code == int(any(state == "wrong" for state, _ in found.values()))
        return found

    return look


def wrong(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {subject: text for subject, (state, text) in found.items() if state != "ok"}


def test_a_healthy_deployment(samples: Pipeline, findings, run: Run) -> None:
    found = findings()

    assert wrong(found) == {}
    assert list(found) == [
        "settings", "storage", "disk", "store", "hash key", "erasures", "model", "index", "releases", "database shop",
    ]  # fmt: skip
    assert found["store"][1] == "sqlite, schema current, 404 corrections"
    assert found["index"][1] == f"version {samples.live().version} is live with 360 examples"
    assert "reachable, schema as registered" in run("doctor").stdout


def test_an_erasure_that_waits_is_told_of(findings, run: Run) -> None:
    settings = get_settings()
    store = open_store(settings)
    request_erasure(store, store.hash_user("zoe"))
    store.close()

    assert findings()["erasures"] == ("warning", "1 not finished; 'feedback-pipeline run' goes on with them")


def test_an_empty_deployment_is_healthy_too(findings) -> None:
    assert wrong(findings()) == {}


def test_a_misspelt_variable_is_told_with_what_was_meant(
    findings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FEEDBACK_MIN_RATNG", "5")
    (tmp_path / ".env").write_text("FEEDBACK_STORAGE_ROT=elsewhere\n")

    assert run_all_settings(findings) == [
        "FEEDBACK_MIN_RATNG is no setting and has no effect; did you mean FEEDBACK_MIN_RATING?",
        "FEEDBACK_STORAGE_ROT is no setting and has no effect; did you mean FEEDBACK_STORAGE_ROOT?",
    ]


def run_all_settings(findings) -> list[str]:
    findings()
    from feedback_pipeline.doctor import examine

    return [finding.text for finding in examine(get_settings()) if finding.subject == "settings"]


@pytest.mark.parametrize("spoil", ["missing", "no model", "broken config"])
def test_a_model_folder_that_cannot_be_read(
    findings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spoil: str
) -> None:
    folder = tmp_path / "model"
    if spoil != "missing":
        (folder / "1_Pooling").mkdir(parents=True)
    if spoil == "broken config":
        (folder / "modules.json").write_text("[]")
        (folder / "1_Pooling" / "config.json").write_text("{")
    monkeypatch.setenv("FEEDBACK_EMBEDDING_MODEL", str(folder))

    found = findings()

    assert set(wrong(found)) == {"model"}
    assert found["model"][0] == "wrong"


def test_databases_that_moved_away_or_changed(samples: Pipeline, findings) -> None:
    register_database(samples.store, "bare", "sqlite")
    for name in ("gone", "changed"):
        with sqlite3.connect(samples.root / f"{name}.sqlite") as connection:
            connection.execute("CREATE TABLE river (name TEXT)")
        register_database(samples.store, name, "sqlite", url=str(samples.root / f"{name}.sqlite"))
    (samples.root / "gone.sqlite").unlink()
    with sqlite3.connect(samples.root / "changed.sqlite") as connection:
        connection.execute("CREATE TABLE lake (name TEXT)")

    found = findings()

    assert found["database gone"][0] == "wrong"
    assert found["database changed"][0] == found["database bare"][0] == "warning"
    assert "databases refresh" in found["database changed"][1]
    assert "add --url or --ddl" in found["database bare"][1]


@pytest.mark.parametrize("part", ["data", "_versions", "../publications", "../../encoders"])
def test_a_damaged_index(samples: Pipeline, findings, part: str) -> None:
    folder = samples.root / "index" / "examples.lance" / part
    resolved = Path(f"{folder.parent.resolve()}") / folder.name if part == "data" else folder
    if resolved.resolve().name == "encoders":
        (samples.root / "encoders").unlink()
    else:
        shutil.rmtree(resolved)

    assert set(wrong(findings())) == {"index"}


def test_a_release_that_was_cut_short_or_lost_a_file(samples: Pipeline, findings) -> None:
    path = next((Path(samples.latest().path) / "default").glob("train-*"))
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    assert f"{path} is missing or cut short" in wrong(findings())["releases"]

    path.unlink()
    assert f"{path} is missing or cut short" in wrong(findings())["releases"]

    path.write_bytes(content)
    (Path(samples.latest().path) / "manifest.json").write_text("{")
    assert "is damaged" in wrong(findings())["releases"]


@pytest.mark.parametrize("root", ["/dev/null/data", "nosuchprotocol://bucket"])
def test_storage_that_cannot_be_written(findings, monkeypatch: pytest.MonkeyPatch, root: str) -> None:
    monkeypatch.setenv("FEEDBACK_STORAGE_ROOT", root)

    found = findings()

    assert found["storage"][0] == "wrong"


def test_a_store_that_cannot_be_opened(findings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("this is no database, and quite long enough for SQLite to notice " * 20)
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", f"sqlite:///{tmp_path / 'no.db'}")

    found = findings()

    assert found["store"][0] == "wrong"
    assert "hash key" not in found
