"""The commands about datasets on one of the reranker: they know it, or say clearly that it is not for them."""

import json
from pathlib import Path

import pytest

from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.finetune.versions import example
from feedback_pipeline_tests.finetune.versions import publish as publish_sql
from feedback_pipeline_tests.reranker.samples import publish, query


@pytest.fixture(autouse=True)
def versions(run: Run, tmp_path: Path) -> Path:
    """Two versions of the reranker's dataset beside one of SQL."""
    root = tmp_path / "data"
    rows = [query(number) for number in range(20)]
    publish_sql(root, [example(number) for number in range(5)])
    publish(root, rows)
    better = query(7, ["a better passage", *rows[7]["positives"]], interaction_ids=["70", "71", "99"])
    publish(root, [*(row for row in rows[1:] if row["row_id"] != better["row_id"]), better, query(40)])
    return root


def test_list_and_show_tell_it_beside_the_other(run: Run, run_json: RunJson) -> None:
    listed = run_json("dataset", "list")["datasets"]
    shown = run("dataset", "show", "reranker@v1").stdout

    assert [(one["name"], one["version"]) for one in listed] == [("reranker", 1), ("reranker", 2), ("text2sql", 1)]
    assert "default 20, labeled_pair 60, listwise 20, triplet 40" in " ".join(shown.split())
    assert "validation_percent 10" in shown


def test_a_pulled_version_is_whole_also_where_one_config_was_pulled(run: Run, tmp_path: Path) -> None:
    assert run("dataset", "pull", "reranker@v2", tmp_path / "all").exit_code == 0
    assert run("dataset", "pull", "reranker", tmp_path / "one", "--config", "triplet").exit_code == 0

    for target in (tmp_path / "all", tmp_path / "one", "reranker@v1"):
        checked = run("dataset", "check", target)
        assert (checked.exit_code, "is whole" in checked.stdout) == (0, True), checked.stdout


def test_diff_tells_queries_and_passages_and_why(run: Run, run_json: RunJson) -> None:
    document = run_json("dataset", "diff", "reranker")
    text = run("dataset", "diff", "reranker").stdout

    assert document["counts"] == {"added": 1, "removed": 1, "changed": 1, "moved": 0}
    [added], [changed] = document["added"], document["changed"]
    assert (added["database_id"], added["question"], added["sql"]) == (
        "source 1",
        query(40)["query"],
        query(40)["positives"][0],
    )
    assert added["feedback_ids"] == ["400", "401"]
    assert [cause["text"] for cause in added["why"]] == ["answers were rated: interactions 400, 401"]
    assert {"positives", "positive_weights", "interaction_ids"} <= set(changed["columns"])
    assert [cause["text"] for cause in changed["why"]][:2] == [
        "answers were rated: interactions 99",
        "other passages were helpful",
    ]
    assert document["removed"][0]["same_question"] is None
    assert "source" in text
    assert "most helpful passage" in text
    assert "SQL" not in text


def test_export_is_refused_with_the_way_out(run: Run, tmp_path: Path) -> None:
    refused = run("dataset", "export", "reranker", tmp_path / "out")

    assert refused.exit_code == 1
    assert "dataset of the kind reranker" in refused.output
    assert "triplet" in refused.output
    assert not (tmp_path / "out").exists()


def test_pin_and_prune_keep_and_retire_its_versions(run: Run, run_json: RunJson, versions: Path) -> None:
    assert run("dataset", "pin", "reranker@v1").exit_code == 0
    assert run("dataset", "prune", "reranker", "--keep", "1").exit_code == 0
    assert run("dataset", "unpin", "reranker@v1").exit_code == 0
    assert run("dataset", "prune", "reranker", "--keep", "1").exit_code == 0

    manifest = json.loads((versions / "releases/reranker/v1/manifest.json").read_text())
    assert manifest["revoked"]["kind"] == "retention"
    assert run("dataset", "check", "reranker").exit_code == 0
    assert run("dataset", "check", "reranker@v1").exit_code == 1


def test_status_and_doctor_count_it(run: Run, run_json: RunJson) -> None:
    stages = {one["stage"]: one for one in run_json("status")["stages"]}
    examined = run("doctor").stdout

    assert stages["reranker_dataset"]["rows"] == 20
    assert stages["reranker_dataset"]["remark"].startswith("reranker v2")
    assert stages["finetune_dataset"]["rows"] == 5
    assert "reranker v2" in examined
