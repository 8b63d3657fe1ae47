"""``model list``, ``show``, ``promote``, ``rollback`` and ``rank``."""

import json
from pathlib import Path

import pytest

from feedback_pipeline.reranker import Reranker
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.finetune.written import revoke, write_release
from feedback_pipeline_tests.reranker.models import PASSAGES, QUERY, add_model

REFUSED = {"promoted": False, "reasons": ["nDCG@10 -0.02", "source de is worse"]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three models where the command looks for them; the gate refused the third."""
    root = tmp_path / "data"
    add_model(root, tmp_path, "k1", rare="refund")
    add_model(root, tmp_path, "k2", rare="shop")
    add_model(root, tmp_path, "k3", gate=REFUSED)
    return root


@pytest.fixture
def passages(tmp_path: Path) -> Path:
    path = tmp_path / "passages.jsonl"
    lines = [json.dumps(PASSAGES[0]), json.dumps({"text": PASSAGES[1], "id": 7}), "", json.dumps(PASSAGES[2])]
    path.write_text("\n".join(lines))
    return path


def test_before_the_first_training_there_is_nothing_to_show(run: Run, run_json: RunJson) -> None:
    assert run("model", "list").stdout == (
        "no reranker has been trained yet: the retriever's own order is in production\n"
    )
    assert run_json("model", "list") == {"production": None, "models": []}
    shown = run("model", "show")
    assert (shown.exit_code, shown.stderr) == (
        1,
        "error: no reranker model 'production'; there is none yet: 'retrain_reranker' trains the first\n",
    )
    assert "no promotion is left to take back" in run("model", "rollback").stderr


def test_the_list_tells_the_state_of_each_model(root: Path, run: Run, run_json: RunJson) -> None:
    assert "in production: the retriever's own order" in run("model", "list").stdout
    run("model", "promote", "v1")
    run("model", "promote", "v2")

    listed, text = run_json("model", "list"), run("model", "list").stdout

    assert listed["production"] == 2
    assert [(one["version"], one["state"]) for one in listed["models"]] == [
        (1, "retired"),
        (2, "production"),
        (3, "refused"),
    ]
    assert "retired" in text
    assert "reranker@v1" in text
    assert "retriever's own order" not in text


def test_one_model_is_shown_with_what_the_gate_said_and_its_time_in_production(
    root: Path, run: Run, run_json: RunJson
) -> None:
    run("model", "promote", "3", "--force", "--reason", "to see it")

    text, document = run("model", "show", "v3").stdout, run_json("model", "show")

    for said in ("reranker v3: production", "refused", "source de is worse", "ndcg@10 0.5", "to see it", "promote by"):
        assert said in text
    assert document["version"] == 3
    assert document["reasons"] == REFUSED["reasons"]
    assert [move["reason"] for move in document["history"]] == ["to see it"]
    assert document["manifest"]["training_key"] == "k3"


def test_promotion_and_rollback_are_followed_by_an_open_reranker(root: Path, run: Run, run_json: RunJson) -> None:
    reranker = Reranker.open("production", root, refresh_seconds=0)
    orders = []

    def look() -> None:
        reranker.refresh()
        orders.append([one["corpus_id"] for one in reranker.rank(QUERY, PASSAGES)])

    first = run_json("model", "promote", "v1")
    look()
    again = run_json("model", "promote", "v1")
    second = run("model", "promote", "latest").stderr, run("model", "promote", "v2").stdout
    look()
    back = run("model", "rollback").stdout
    look()
    base = run_json("model", "rollback", "--reason", "enough")
    look()

    assert first == {"production": 1, "before": None, "moved": True}
    assert again == {"production": 1, "before": 1, "moved": False}
    assert second[0].startswith("error: the gate refused reranker v3: nDCG@10 -0.02; source de is worse.")
    assert second[1] == "in production: reranker v2 (blend); before: v1\n"
    assert back == "in production: reranker v1 (blend); before: v2\n"
    assert base == {"production": None, "before": 1, "moved": True}
    assert orders == [[1, 2, 0], [2, 1, 0], [1, 2, 0], [0, 1, 2]]


def test_going_back_to_the_base_is_one_step(root: Path, run: Run) -> None:
    run("model", "promote", "v1")
    run("model", "promote", "v2")

    assert run("model", "rollback", "--to-base").stdout == "in production: the retriever's own order; before: v2\n"


def test_what_cannot_be_promoted_is_explained(root: Path, run: Run, run_json: RunJson) -> None:
    run("model", "promote", "v1")
    damaged = Path(ModelRegistry(str(root)).look_up(2).path) / "model" / "model.json"
    damaged.write_text(damaged.read_text() + " ")

    refused, unknown = run("model", "promote", "v2", "--force"), run("model", "promote", "v9")

    assert (refused.exit_code, unknown.exit_code) == (1, 1)
    assert "reranker v2 is damaged" in refused.stderr
    assert unknown.stderr == "error: no reranker model 'v9'; there are v1, v2, v3\n"
    assert run_json("model", "promote", "v9")["error"]["type"] == "UnknownModelError"
    assert run_json("model", "list")["production"] == 1
    assert run("model", "promote").exit_code == 2


def test_a_revoked_dataset_marks_its_models(root: Path, run: Run, run_json: RunJson) -> None:
    release = write_release(root, 1, name="reranker")
    run("model", "promote", "v1")
    revoke(release, replaced_by=2)

    assert "trained on revoked dataset reranker@v1" in run("model", "list").stdout
    assert "trained on revoked dataset reranker@v1" in run("model", "show", "v1").stdout
    assert run_json("model", "show", "v2")["revoked_dataset"] == "reranker@v1"
    assert "train anew on a later version" in run("model", "promote", "v2").stderr
    forced = run("model", "promote", "v2", "--force")
    assert forced.exit_code == 0
    assert "warning: reranker v2 was trained on reranker@v1" in forced.stderr


def test_damage_is_listed_and_does_not_hide_the_others(root: Path, run: Run, run_json: RunJson) -> None:
    (Path(ModelRegistry(str(root)).look_up(2).path) / "manifest.json").write_text("{")
    ModelRegistry(str(root)).prune(1)

    listed = run_json("model", "list")["models"]

    assert [one["state"] for one in listed] == ["candidate", "damaged", "refused"]
    assert [one["notes"] for one in listed] == [
        ["weights removed: retention, keep 1"],
        ["its manifest is damaged"],
        [],
    ]
    assert "damaged" in run("model", "show", "v2").stdout


def test_passages_are_ranked_from_a_file(root: Path, passages: Path, run: Run, run_json: RunJson) -> None:
    run("model", "promote", "v1")

    ranked = run_json("model", "rank", QUERY, "--passages", passages, "--top-k", 2)
    text = run("model", "rank", QUERY, "--passages", passages, "--model", "v2").stdout

    assert ranked["model"] == 1
    assert [one["text"] for one in ranked["ranked"]] == ["a refund", "the shop"]
    assert text.splitlines()[2].split()[0] == "1"
    assert text.index("the shop") < text.index("a refund")


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "line 1: no JSON"), ('"a"\n7', "line 2: neither a text nor an object with a 'text'")],
)
def test_passages_that_cannot_be_read_are_named(root: Path, passages: Path, run: Run, content: str, said: str) -> None:
    passages.write_text(content)

    assert said in run("model", "rank", QUERY, "--passages", passages).stderr
    assert "cannot read nowhere.jsonl" in run("model", "rank", QUERY, "--passages", "nowhere.jsonl").stderr
