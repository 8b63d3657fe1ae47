"""Opening releases for training."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import datasets
import pandas as pd
import pytest

import feedback_pipeline
from feedback_pipeline import finetune
from feedback_pipeline.finetune.catalog import DamagedReleaseError, RevokedReleaseError, UnknownReleaseError
from feedback_pipeline.finetune.reading.opened import MissingLibraryError, OpenedRelease, open_release
from feedback_pipeline.finetune.reading.pull import pull
from feedback_pipeline.finetune.reading.release_files import UnknownConfigError
from feedback_pipeline.settings import get_settings
from feedback_pipeline_tests.finetune.file_server import FileServer
from feedback_pipeline_tests.finetune.object_store import upload
from feedback_pipeline_tests.finetune.published import SPLIT_ROWS, publish, publish_format_1, read_manifest, revoke


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture(autouse=True)
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "huggingface")
    datasets.disable_progress_bars()
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def row_ids(data: object) -> list[str]:
    return [row["row_id"] for row in data]  # pyright: ignore[reportGeneralTypeIssues]


def test_a_config_is_loaded_with_all_its_splits(root: Path) -> None:
    publish(root)

    data = open_release("text2sql", version="v1", root=root).load("sft")

    assert isinstance(data, datasets.DatasetDict)
    assert {split: data[split].num_rows for split in data} == SPLIT_ROWS
    assert list(data) == ["train", "validation", "test"]
    assert [message["role"] for message in data["train"][0]["messages"]] == ["system", "user", "assistant"]


def test_the_rows_of_several_files_come_in_their_order(root: Path) -> None:
    publish(root)

    train = open_release("text2sql", root=root).load(split="train")

    assert isinstance(train, datasets.Dataset)
    assert row_ids(train) == [f"train-{number}" for number in range(30)]


def test_a_split_without_rows_is_not_there(root: Path) -> None:
    publish(root)
    release = open_release("text2sql", root=root)

    assert list(release.load("preference")) == ["train", "validation"]
    with pytest.raises(UnknownConfigError, match="has no rows in split 'test'; it has train, validation"):
        release.load("preference", split="test")


def test_a_config_is_streamed(root: Path) -> None:
    publish(root)
    release = open_release("text2sql", root=root)

    data = release.load("sft", streaming=True)

    assert isinstance(data, datasets.IterableDatasetDict)
    assert row_ids(data["train"]) == [f"train-{number}" for number in range(30)]
    assert isinstance(release.load("sft", "test", streaming=True), datasets.IterableDataset)


def test_a_config_becomes_a_data_frame_with_its_splits(root: Path) -> None:
    publish(root)
    release = open_release("text2sql", root=root)

    everything, test = release.to_pandas("sft"), release.to_pandas("sft", split="test")

    assert isinstance(everything, pd.DataFrame)
    assert everything["split"].value_counts().to_dict() == SPLIT_ROWS
    assert everything["split"].drop_duplicates().to_list() == ["train", "validation", "test"]
    assert "split" not in test.columns
    assert test["row_id"].to_list() == [f"test-{number}" for number in range(4)]
    assert release.to_arrow("sft").to_pandas().equals(everything)


def test_what_is_known_of_a_release_can_be_asked_for(root: Path) -> None:
    published = publish(root)

    release = open_release("text2sql@v1", root=root)

    manifest = read_manifest(published)
    assert release.manifest == manifest
    assert (release.name, release.version, release.digest) == ("text2sql", 1, manifest["digest"])
    assert (release.rows, release.path) == (SPLIT_ROWS, str(published))
    assert release.configs["preference"] == {"train": 30, "validation": 6}
    assert [path.name for path in release.files("default", "train")] == [
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
    ]
    assert repr(release) == f"OpenedRelease('text2sql', version=1, path='{published}')"


def test_the_storage_root_of_the_settings_is_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(root)
    monkeypatch.setenv("FEEDBACK_STORAGE_ROOT", str(root))

    assert feedback_pipeline.open_release("text2sql").version == 1
    assert finetune.open_release is open_release


@pytest.mark.parametrize("version", ["v1", "1", 1, "latest", None])
def test_a_version_may_be_written_in_many_ways(root: Path, version: str | int | None) -> None:
    publish(root)

    assert open_release("text2sql", version, root).version == 1


def test_a_pulled_folder_is_opened(root: Path, tmp_path: Path) -> None:
    publish(root)
    pulled = tmp_path / "pulled"
    pull(str(root), "text2sql", pulled, configs=["sft"])

    for release in (open_release("text2sql", "v1", pulled), open_release(str(pulled)), open_release(f"{pulled}/", 1)):
        assert release.path == str(pulled)
        assert release.load("sft", split="test").num_rows == 4
        assert list(release.configs) == ["sft"]
        with pytest.raises(UnknownConfigError, match="has no config 'default' here; it has sft"):
            release.load()
    with pytest.raises(UnknownReleaseError, match="holds text2sql v1, not text2sql v2"):
        open_release("text2sql", "v2", pulled)
    with pytest.raises(UnknownReleaseError, match="holds text2sql v1, not other v1"):
        open_release("other@v1", root=pulled)


def test_a_pulled_folder_is_loaded_by_datasets_alone(root: Path, tmp_path: Path) -> None:
    publish(root)
    pulled = tmp_path / "pulled"
    pull(str(root), "text2sql", pulled, configs=["sft"])

    data = datasets.load_dataset(str(pulled), "sft")

    assert {split: data[split].num_rows for split in data} == SPLIT_ROWS


def test_a_release_of_format_1_is_opened(root: Path) -> None:
    publish_format_1(root)

    release = open_release("text2sql", root=root)

    assert {split: part.num_rows for split, part in release.load().items()} == SPLIT_ROWS
    with pytest.raises(UnknownConfigError, match="has no config 'sft' here; it has default"):
        release.load("sft")


def test_a_release_on_a_server_is_brought_here_once_and_by_config(root: Path, server: FileServer) -> None:
    publish(root)

    data = open_release("text2sql", root=server.url).load("sft")
    again = open_release("text2sql", root=server.url)
    again.load("sft", split="test")
    again.to_pandas("sft")

    assert {split: data[split].num_rows for split in data} == SPLIT_ROWS
    asked = {path: count for path, count in server.requests.items() if path.endswith(".parquet")}
    assert set(asked.values()) == {1}
    assert all("/sft/" in path for path in asked)


def test_a_release_on_an_object_store_is_loaded(root: Path, bucket: str) -> None:
    publish(root)
    upload(root, f"{bucket}/data")

    release = open_release("text2sql", "latest", f"{bucket}/data")

    assert release.path == f"{bucket}/data/releases/text2sql/v1"
    assert release.load("sft")["train"].num_rows == 30
    assert row_ids(release.load("sft", "test", streaming=True)) == [f"test-{number}" for number in range(4)]


def test_a_file_that_was_cut_off_or_lost_is_said(root: Path) -> None:
    published = publish(root)
    path = published / "sft/train-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    release: OpenedRelease = open_release("text2sql", root=root)

    with pytest.raises(DamagedReleaseError, match=r"sft/train-00000-of-00001.parquet is missing or not \d+ bytes"):
        release.load("sft")
    path.unlink()
    with pytest.raises(DamagedReleaseError, match="dataset check"):
        release.to_pandas("sft")


def test_unknown_and_revoked_versions_are_refused(root: Path) -> None:
    published = publish(root)

    with pytest.raises(UnknownReleaseError, match="has no version 9"):
        open_release("text2sql", "v9", root)
    revoke(published, "erasure", None)
    with pytest.raises(RevokedReleaseError, match="erasure"):
        open_release("text2sql", "v1", root)
    with pytest.raises(RevokedReleaseError, match="erasure"):
        open_release(str(published))


def test_without_datasets_it_is_said_what_to_install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(root)
    monkeypatch.setitem(sys.modules, "datasets", None)
    release = open_release("text2sql", root=root)

    with pytest.raises(MissingLibraryError, match=r"pip install 'feedback-pipeline\[trainer\]'"):
        release.load("sft")

    assert len(release.to_pandas("sft")) == 40


def test_trainers_need_nothing_of_what_publishes(root: Path, server: FileServer, tmp_path: Path) -> None:
    publish(root)
    code = f"""
        import sys

        HEAVY = {{"dagster", "torch", "daft", "sqlalchemy", "lancedb", "sqlglot", "fastapi", "sentence_transformers"}}

        from feedback_pipeline import open_release
        from feedback_pipeline.finetune.reading.verify import check_release
        from feedback_pipeline.finetune.reading.export import export

        release = open_release("text2sql", root="{server.url}")
        assert len(release.to_pandas("sft")) == 40
        assert release.load("sft", split="test").num_rows == 4
        assert check_release("{root}/releases/text2sql/v1", digest=None).whole
        export(release, "{tmp_path}/exported")
        assert not HEAVY & set(sys.modules), HEAVY & set(sys.modules)
    """

    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, cwd=tmp_path)
