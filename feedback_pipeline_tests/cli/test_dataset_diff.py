"""``dataset diff`` on releases of the real pipeline, and on versions that cannot be compared."""

from pathlib import Path

import pytest

from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.finetune.publishing.retention import prune
from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.defs.pipeline import Pipeline
from feedback_pipeline_tests.finetune.versions import example, publish


@pytest.fixture
def versions(run: Run, tmp_path: Path) -> Path:
    """Three versions of a dataset: 40 rows, then one fewer and 30 more, then one that says something else."""
    root = tmp_path / "data"
    publish(root, [example(number) for number in range(40)])
    publish(root, [example(number) for number in range(1, 70)])
    publish(root, [example(number, weight=1.0 + (number == 5)) for number in range(1, 70)])
    return root


def test_a_rejection_is_found_as_the_reason_why_a_row_has_left(samples: Pipeline, run: Run, run_json: RunJson) -> None:
    row = samples.stage("deduped_feedback").to_pylist()[0]
    samples.decide(row["feedback_ids"], "rejected")
    samples.run()

    document = run_json("dataset", "diff", "text2sql")
    text = run("dataset", "diff", "text2sql").stdout

    changes = samples.latest().manifest["changes"]
    assert document["counts"] == changes
    assert (changes["added"], changes["removed"], changes["moved"]) == (0, 1, 0)
    assert (document["before"]["version"], document["after"]["version"], document["has_store"]) == (1, 2, True)
    [removed] = document["removed"]
    assert (removed["row_id"], removed["question"]) == (row["example_id"], row["natural_query"])
    assert [(one["event"], one["actor"], one["reason"]) for one in removed["why"]] == [
        ("rejected", "ada", "test") for _ in row["feedback_ids"]
    ]
    assert {one["feedback_id"] for one in removed["why"]} == set(row["feedback_ids"])
    assert "text2sql v1 → v2: 0 added, 1 removed, " in text
    assert row["example_id"] in text
    assert "rejected by ada" in text


@pytest.mark.parametrize(
    ("words", "compared"),
    [
        (["text2sql"], (2, 3)),
        (["text2sql", "v1"], (1, 3)),
        (["text2sql", "1", "2"], (1, 2)),
        (["text2sql", "v1", "latest"], (1, 3)),
        (["text2sql@v1"], (1, 3)),
        (["text2sql@v1", "text2sql@v2"], (1, 2)),
        (["text2sql@1", "v2"], (1, 2)),
    ],
)
def test_versions_can_be_named_in_several_ways(
    versions: Path, run_json: RunJson, words: list[str], compared: tuple[int, int]
) -> None:
    document = run_json("dataset", "diff", *words)

    assert (document["before"]["version"], document["after"]["version"]) == compared


def test_people_see_the_first_rows_and_machines_all(versions: Path, run: Run, run_json: RunJson) -> None:
    text = run("dataset", "diff", "text2sql", "v1", "v2").stdout
    document = run_json("dataset", "diff", "text2sql", "v1", "v2")

    assert "30 added, 1 removed, 0 changed, 0 moved" in text
    assert "added (the first 20 of 30)" in text
    assert (f"{59:016x}" in text, f"{60:016x}" in text) == (True, False)
    assert [int(row["row_id"], 16) for row in document["added"]] == list(range(40, 70))
    assert len(run_json("dataset", "diff", "text2sql", "v1", "v2", "--limit", "2")["added"]) == 2
    assert "added" not in run("dataset", "diff", "text2sql", "v1", "v2", "--limit", "0").stdout.split("moved")[1]


def test_a_changed_row_is_shown_with_both_values(versions: Path, run: Run, run_json: RunJson) -> None:
    text = run("dataset", "diff", "text2sql").stdout
    [changed] = run_json("dataset", "diff", "text2sql")["changed"]

    assert changed["columns"] == {"weight": {"before": 1.0, "after": 2.0}}
    assert "weight: 1.0 → 2.0" in text
    assert "weights were scaled anew" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["text2sql", "v7"], "dataset text2sql has no version 7; it has v1, v2, v3"),
        (["nope"], "no dataset 'nope'; released datasets: text2sql"),
        (["text2sql@v1", "other@v2"], "text2sql@v1 and other@v2 are versions of different datasets"),
        (["text2sql", "v3", "v1"], "v3 is later than v1; name the earlier version first"),
        (["text2sql", "v1", "v2", "v3"], "two versions can be compared, not 3: v1, v2, v3"),
        (["text2sql", "oops"], "no dataset 'text2sql@oops'"),
    ],
)
def test_what_cannot_be_compared_is_explained(versions: Path, run: Run, words: list[str], message: str) -> None:
    result = run("dataset", "diff", *words)

    assert result.exit_code == 1
    assert message in result.stderr


def test_the_first_version_has_nothing_before_it(run: Run, tmp_path: Path) -> None:
    publish(tmp_path / "data", [example(1)])

    result = run("dataset", "diff", "text2sql")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == ("error: text2sql v1 is the first version: there is none before it to compare with\n")


def test_a_version_whose_data_is_gone_says_so(versions: Path, run: Run) -> None:
    prune(ReleaseCatalog(str(versions)), "text2sql", 1)

    result = run("dataset", "diff", "text2sql")

    assert result.exit_code == 1
    assert "text2sql v2 was revoked (retention, keep 1) and its data files are gone; take text2sql@v3" in result.stderr


def test_without_a_store_the_rows_are_told_all_the_same(
    versions: Path, run: Run, run_json: RunJson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    result = run("dataset", "diff", "text2sql", "v1", "v2")
    document = run_json("dataset", "diff", "text2sql", "v1", "v2")

    assert result.exit_code == 0
    assert "warning: who decided what cannot be told" in result.stderr
    assert "not known without the store" in result.stdout
    assert (document["has_store"], document["counts"]["added"]) == (False, 30)
