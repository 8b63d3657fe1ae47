"""What else reads the files of a release: ``datasets``, DuckDB, pandas and polars, each on its own."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import datasets
import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from feedback_pipeline.finetune.content.configs import CONFIGS
from feedback_pipeline.finetune.content.prompts import Prompts
from feedback_pipeline.finetune.reading.opened import open_release
from feedback_pipeline.finetune.reading.pull import pull
from feedback_pipeline.finetune.reading.verify import check_release
from feedback_pipeline_tests.finetune.clients.corrections import publish

NAMES = [config.name for config in CONFIGS]
SPLITS = ["train", "validation", "test"]


@pytest.fixture(scope="module", params=["published", "pulled"])
def folder(request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of v2: as it was published, or a copy that was pulled."""
    if request.param == "published":
        return root / "releases/text2sql/v2"
    pulled = tmp_path_factory.mktemp("pulled") / "text2sql"
    pull(str(root), "text2sql@v2", pulled)
    return pulled


def counts_in_manifest(folder: Path, config: str) -> dict[str, int]:
    return json.loads((folder / "manifest.json").read_text())["configs"][config]["rows"]


@pytest.mark.parametrize("config", NAMES)
def test_datasets_loads_each_config_by_name(folder: Path, config: str) -> None:
    data = datasets.load_dataset(str(folder), config)

    assert list(data) == SPLITS
    assert {split: data[split].num_rows for split in data} == counts_in_manifest(folder, config)
    assert data["train"].column_names == next(one for one in CONFIGS if one.name == config).schema.names


@pytest.mark.parametrize("config", NAMES)
def test_datasets_streams_each_config_in_batches(folder: Path, config: str) -> None:
    loaded = datasets.load_dataset(str(folder), config)

    streamed = datasets.load_dataset(str(folder), config, streaming=True)

    batches = list(streamed["train"].batch(batch_size=16))
    assert {len(batch["row_id"]) for batch in batches[:-1]} == {16}
    assert [row_id for batch in batches for row_id in batch["row_id"]] == list(loaded["train"]["row_id"])
    assert next(iter(streamed["train"])) == loaded["train"][0]


def test_datasets_gives_every_row_where_no_config_is_named(folder: Path) -> None:
    data = datasets.load_dataset(str(folder))

    assert data["train"].info.config_name == "default"
    assert {split: data[split].num_rows for split in data} == counts_in_manifest(folder, "default")


def test_datasets_gives_the_new_rows_where_another_version_was_pulled_into_the_folder(
    root: Path, tmp_path: Path
) -> None:
    pulled = tmp_path / "text2sql"

    for version in ("v1", "v2", "v1"):
        pull(str(root), f"text2sql@{version}", pulled)
        loaded = datasets.load_dataset(str(pulled), "sft")
        opened = open_release(str(pulled)).load("sft")

        expected = _row_ids(root / f"releases/text2sql/{version}/sft")
        assert list(loaded["train"]["row_id"]) == list(opened["train"]["row_id"]) == expected


def test_datasets_gives_the_new_rows_where_one_config_of_another_version_was_pulled(root: Path, tmp_path: Path) -> None:
    pulled = tmp_path / "text2sql"

    for version in ("v1", "v2"):
        pull(str(root), f"text2sql@{version}", pulled, configs=["sft"])
        loaded = datasets.load_dataset(str(pulled), "sft")

        assert list(loaded["train"]["row_id"]) == _row_ids(root / f"releases/text2sql/{version}/sft")


def test_datasets_tells_folders_of_one_name_apart(root: Path, tmp_path: Path) -> None:
    publish(tmp_path / "other", range(50, 150))

    datasets.load_dataset(str(root / "releases/text2sql/v1"))
    other = datasets.load_dataset(str(tmp_path / "other/releases/text2sql/v1"))

    assert list(other["train"]["row_id"]) == _row_ids(tmp_path / "other/releases/text2sql/v1/default")


def test_an_opened_release_is_not_taken_for_another_whose_files_are_of_the_same_time(
    root: Path, tmp_path: Path
) -> None:
    pulled, loaded = tmp_path / "text2sql", []

    for version in ("v1", "v2"):
        pull(str(root), f"text2sql@{version}", pulled)
        for path in pulled.rglob("*.parquet"):
            os.utime(path, (0, 0))  # as an unpacked archive leaves them
        loaded.append(list(open_release(str(pulled)).load("sft")["train"]["row_id"]))

    assert loaded == [_row_ids(root / f"releases/text2sql/{version}/sft") for version in ("v1", "v2")]


def _row_ids(config: Path) -> list[str]:
    paths = sorted(config.glob("train-*.parquet"))
    return [row_id for path in paths for row_id in pq.ParquetFile(path).read(["row_id"])["row_id"].to_pylist()]


def _with_duckdb(glob: str, column: str) -> list[str | None]:
    rows = duckdb.execute(f"SELECT {column} FROM read_parquet('{glob}') ORDER BY row_id").fetchall()
    return [value for (value,) in rows]


def _with_pandas(glob: str, column: str) -> list[str | None]:
    paths = sorted(Path("/").glob(glob.removeprefix("/")))
    frame = pd.concat([pd.read_parquet(path) for path in paths]).sort_values("row_id", kind="stable")
    return [None if value is None or value is pd.NA or value != value else value for value in frame[column]]


def _with_polars(glob: str, column: str) -> list[str | None]:
    return pl.scan_parquet(glob).sort("row_id", maintain_order=True).collect()[column].to_list()


def _content(values: list[str | None]) -> tuple[int, str]:
    return len(values), hashlib.sha256(json.dumps(values).encode()).hexdigest()


@pytest.mark.parametrize("column", ["sql", "generated_sql"])
@pytest.mark.parametrize("split", ["train", "*"])
def test_duckdb_pandas_and_polars_read_the_same(folder: Path, split: str, column: str) -> None:
    glob = f"{folder}/default/{split}-*.parquet"
    readers: list[Callable[[str, str], list[str | None]]] = [_with_duckdb, _with_pandas, _with_polars]

    contents = {_content(read(glob, column)) for read in readers}

    counts = counts_in_manifest(folder, "default")
    expected = open_release(str(folder)).to_arrow("default", None if split == "*" else split).sort_by("row_id")
    assert contents == {_content(expected[column].to_pylist())}
    assert {count for count, _ in contents} == {counts["train"] if split == "train" else sum(counts.values())}


@pytest.mark.parametrize("config", NAMES)
def test_duckdb_and_polars_count_the_rows_of_each_config(folder: Path, config: str) -> None:
    glob = f"{folder}/{config}/*.parquet"

    counted = duckdb.execute(f"SELECT count(*) FROM read_parquet('{glob}')").fetchall()

    expected = sum(counts_in_manifest(folder, config).values())
    assert counted == [(expected,)]
    assert pl.scan_parquet(glob).select(pl.len()).collect().item() == expected


def test_the_prompts_of_a_release_are_filled_as_its_rows_were(folder: Path) -> None:
    release = open_release(str(folder))
    rows, chats = release.to_arrow("default", "train"), release.to_arrow("sft", "train")

    prompts = Prompts.from_document(json.loads((folder / "prompts.json").read_text()))

    shown = [[message["content"] for message in messages[:2]] for messages in chats["messages"].to_pylist()]
    filled = zip(prompts.fill("system", rows).to_pylist(), prompts.fill("user", rows).to_pylist(), strict=True)
    assert [list(pair) for pair in filled] == shown
    assert check_release(str(folder)).whole
