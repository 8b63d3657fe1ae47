"""``feedback-pipeline evaluate``: what it prints, what it refuses, and that it leaves the project alone."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from feedback_pipeline.cli import app
from feedback_pipeline.settings import get_settings
from feedback_pipeline.store import open_store, register_database
from feedback_pipeline_tests.evaluation.conftest import STATES, split_rows
from feedback_pipeline_tests.evaluation.fake_endpoint import Answer, endpoint


@pytest.fixture(autouse=True)
def root(exported_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A storage root with nothing but the published encoder."""
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "encoders").symlink_to(exported_root / "encoders")
    monkeypatch.setenv("FEEDBACK_STORAGE_ROOT", str(folder))
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-test")
    get_settings.cache_clear()
    yield folder
    get_settings.cache_clear()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rivers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in split_rows()))
    return path


@pytest.fixture
def databases(tmp_path: Path) -> Path:
    folder = tmp_path / "databases"
    folder.mkdir()
    with sqlite3.connect(folder / "rivers.sqlite") as connection:
        connection.execute("CREATE TABLE river (name TEXT, state TEXT, length INTEGER)")
        rows = [(f"{state} {number}", state, number) for state in STATES for number in range(len(state))]
        connection.executemany("INSERT INTO river VALUES (?, ?, ?)", rows)
    connection.close()
    return folder


def run(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def test_a_table_per_file_shows_each_method_with_its_interval(root: Path, data: Path) -> None:
    shown = run("retrieval", "--data", data, "--data", data).stdout

    assert shown.count("rivers: 6 indexed, 4 asked, 0 left out") == 2
    assert shown.count("perfect mask") == 2
    assert "100.0% (51.0%–100.0%)" in shown
    assert "Newcombe" in shown
    assert sorted(path.name for path in root.iterdir()) == ["encoders"]


def test_json_holds_recall_at_every_k_and_the_same_numbers_again(data: Path) -> None:
    arguments = ("retrieval", "--data", data, "--k", "2,1", "--method", "plain", "--method", "perfect-mask", "--json")

    one, other = (json.loads(run(*arguments).stdout)["retrieval"][0] for _ in range(2))

    assert [method["method"] for method in one["methods"]] == ["plain", "perfect mask"]
    assert list(one["methods"][1]["recall"]) == ["1", "2"]
    assert one["methods"][1]["recall"]["1"]["hits"] == 4
    assert set(one["methods"][1]["better_than_plain"]["1"]) == {"n", "value", "interval", "better", "worse"}
    assert [method["recall"] for method in one["methods"]] == [method["recall"] for method in other["methods"]]


def test_values_of_a_folder_of_databases_are_masked_too(data: Path, databases: Path) -> None:
    arguments = ("retrieval", "--data", data, "--method", "retriever", "--min-score", "-1", "--json")

    found = json.loads(run(*arguments, "--database-dir", databases).stdout)["retrieval"][0]

    assert found["methods"][0]["recall"]["1"]["hits"] == 4
    assert "holds none of the databases" in run(*arguments, "--database-dir", data.parent, code=1).stderr


def test_a_plot_is_drawn(data: Path, tmp_path: Path) -> None:
    run("retrieval", "--data", data, "--method", "plain", "--plot", tmp_path / "recall.svg")

    assert (tmp_path / "recall.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--k", "0"), 2, "numbers from 1 to 100"),
        (("--k", "one"), 2, "numbers from 1 to 100"),
        (("--plot", "recall.png"), 1, "ends in .svg"),
        (("--map", "split"), 1, "theirs=ours"),
        (("--map", "said=word"), 1, "there is no such field"),
        (("--dialect", "sqlit"), 1, "Did you mean sqlite"),
        (("--split", "first", "--map", "split=template_id", "--limit", "0"), 2, "--limit"),
    ],
)
def test_misuse_is_refused_with_the_way_out(data: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    result = run("retrieval", "--data", data, *arguments, code=code)

    assert said in " ".join(result.stderr.split())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = run("retrieval", "--data", tmp_path / "no.jsonl", code=1)

    assert "there is no such file" in result.stderr


def test_perfect_masks_need_variables(data: Path) -> None:
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    data.write_text("".join(json.dumps({**row, "variables": None}) + "\n" for row in rows))

    result = run("retrieval", "--data", data, "--method", "perfect-mask", code=2)

    assert "no field variables" in result.stderr


def test_rows_left_out_are_told_of(data: Path) -> None:
    data.write_text(data.read_text() + '{"natural_query": "no sql"}\n')

    assert (
        "rivers: 1 rows without question or SQL are left out"
        in run("retrieval", "--data", data, "--method", "plain").stderr
    )


def test_the_nearest_example_is_measured_on_a_folder_of_databases(data: Path, databases: Path) -> None:
    shown = run("sql", "--data", data, "--database-dir", databases).stdout

    assert "rivers: nearest, 6 indexed, 4 asked, 4 compared" in shown
    assert "with examples" in shown
    assert "without examples" not in shown


def test_an_endpoint_is_asked_with_and_without_examples(data: Path, databases: Path) -> None:
    def answer(prompt: str) -> Answer:
        if "longest" in prompt.split("Question:")[1]:
            return Answer(status=400)
        state = prompt.split()[-1]
        known = "Verified answers" in prompt
        return Answer(f"SELECT count(*) FROM river WHERE state = '{state}'" if known else "SELECT 'no idea'")

    with endpoint(answer) as served:
        arguments = ("--generator", "openai", "--model", "m", "--base-url", served.url)
        result = run("sql", "--data", data, "--database-dir", databases, *arguments, "--json")
    found = json.loads(result.stdout)["sql"][0]

    assert [arm["accuracy"]["hits"] for arm in found["arms"]] == [2, 0]
    assert found["arms"][0]["not_right"] == {"no answer: HTTP 400": 2}
    assert found["arms"][1]["not_right"] == {"no answer: HTTP 400": 2, "other rows": 2}
    assert (found["gain"]["value"], found["gain"]["better"]) == (0.5, 2)
    assert len(served.requests) == 8


def test_registered_databases_are_used_without_a_folder(data: Path, databases: Path) -> None:
    store = open_store(get_settings())
    register_database(store, "rivers", "sqlite", str(databases / "rivers.sqlite"))
    store.close()

    assert "4 compared" in run("sql", "--data", data).stdout


def test_a_refused_key_is_one_clear_line(data: Path, databases: Path) -> None:
    with endpoint(lambda _: Answer(status=401)) as served:
        arguments = ("--generator", "openai", "--model", "m", "--base-url", served.url)
        result = run("sql", "--data", data, "--database-dir", databases, *arguments, code=1)

    assert "HTTP 401: check --base-url, --model and OPENAI_API_KEY" in result.stderr
    assert "of-the-test" not in result.output


def test_the_generator_openai_needs_a_model(data: Path) -> None:
    assert "--model" in run("sql", "--data", data, "--generator", "openai", code=2).stderr
