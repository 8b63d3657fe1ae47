"""``dataset pull``, ``check`` and ``export``."""

import json
from pathlib import Path

from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.defs.pipeline import Pipeline
from feedback_pipeline_tests.finetune.file_server import serving
from feedback_pipeline_tests.finetune.published import publish, read_manifest, revoke, tree


def test_a_version_is_pulled_and_checked(samples: Pipeline, run: Run, run_json: RunJson, tmp_path: Path) -> None:
    release = samples.latest()

    pulled = run("dataset", "pull", "text2sql", tmp_path / "pulled")
    checked = run_json("dataset", "check", tmp_path / "pulled")

    assert pulled.exit_code == 0, pulled.output
    assert f"text2sql v1 is in {tmp_path}/pulled: {len(release.manifest['files'])} files downloaded" in pulled.stdout
    assert tree(tmp_path / "pulled") == tree(Path(release.path))
    assert checked["problems"] == []
    assert checked["whole"]
    assert checked["digest_checked"]
    assert run_json("dataset", "check", "text2sql@v1")["whole"]
    assert "text2sql v1 in" in run("dataset", "check", f"{tmp_path}/pulled").stdout


def test_pulling_again_says_that_nothing_was_transferred(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    publish(tmp_path / "data")
    run("dataset", "pull", "text2sql", "pulled")

    again = run("dataset", "pull", "text2sql", "pulled")

    assert "is in" in again.stdout
    assert "already: 11 files verified, nothing transferred" in again.stdout
    assert run_json("dataset", "pull", "text2sql", "pulled")["downloaded"] == 0


def test_some_configs_are_pulled_from_another_place(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    publish(tmp_path / "elsewhere")
    with serving(tmp_path / "elsewhere") as server:
        pulled = run_json(
            *("dataset", "pull", "text2sql@v1", "pulled", "--from", server.url),
            *("--config", "sft", "--config", "preference"),
        )

    assert pulled["configs"] == ["preference", "sft"]
    assert pulled["path"] == str(tmp_path / "pulled")
    assert not (tmp_path / "pulled/default").exists()
    assert run("dataset", "pull", "text2sql", "relative", "--from", "elsewhere").exit_code == 0


def test_damage_is_listed_and_gives_exit_code_1(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    folder = publish(tmp_path / "data")
    (folder / "rows.parquet").unlink()

    damaged = run("dataset", "check", "text2sql")

    assert damaged.exit_code == 1
    assert "rows.parquet" in damaged.stdout
    assert "is damaged: 1 problem" in damaged.stdout
    assert run("dataset", "check", folder, "--json").exit_code == 1
    [problem] = run_json("dataset", "check", "text2sql")["problems"]
    assert (problem["path"], problem["problem"]) == ("rows.parquet", "is missing")


def test_what_cannot_be_pulled_is_explained(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    revoke(publish(tmp_path / "data"), "erasure", replaced_by=2)
    publish(tmp_path / "data", 2)

    assert "take text2sql@v2 or later" in run("dataset", "pull", "text2sql@v1", "pulled").stderr
    assert "has no config nope" in run("dataset", "pull", "text2sql", "pulled", "--config", "nope").stderr
    refused = run("dataset", "pull", "text2sql", tmp_path)
    assert (refused.exit_code, refused.stderr) == (
        1,
        f"error: {tmp_path} is not empty and no pulled release; pull into a new or empty folder\n",
    )
    unknown = run_json("dataset", "pull", "text2sql@v9", "pulled")
    assert unknown["error"]["type"] == "UnknownReleaseError"


def test_a_version_or_a_pulled_folder_is_exported(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    publish(tmp_path / "data")
    run("dataset", "pull", "text2sql", "pulled")

    exported = run_json("dataset", "export", "text2sql", "out")
    preferences = run("dataset", "export", "pulled", "out", "--format", "openai-preference")

    assert [(file["split"], file["rows"]) for file in exported["files"]] == [
        ("train", 30),
        ("validation", 6),
        ("test", 4),
    ]
    assert json.loads(Path(exported["files"][0]["path"]).read_text().splitlines()[0]).keys() == {"messages"}
    assert "text2sql-v1-preference-validation.jsonl" in preferences.stdout
    assert "fewer" not in preferences.stderr


def test_configs_are_shown(run: Run, tmp_path: Path) -> None:
    folder = publish(tmp_path / "data")

    shown = run("dataset", "show", "text2sql").stdout

    assert "default 40, preference 36, sft 40" in shown
    assert f'datasets.load_dataset("{folder}")' in shown
    assert read_manifest(folder)["digest"] in shown
