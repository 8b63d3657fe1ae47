"""Exporting releases for OpenAI's fine-tuning."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_pipeline.finetune.reading.export import ExportError, ExportFormat, export
from feedback_pipeline.finetune.reading.opened import OpenedRelease, open_release
from feedback_pipeline.finetune.reading.release_files import UnknownConfigError
from feedback_pipeline.tables.files import StorageError
from feedback_pipeline_tests.finetune.published import (
    MESSAGES,
    SPLIT_ROWS,
    publish,
    publish_format_1,
    read_manifest,
    tree,
    write_manifest,
)


@pytest.fixture
def release(tmp_path: Path) -> OpenedRelease:
    publish(tmp_path / "root")
    return open_release("text2sql", root=tmp_path / "root")


def lines_of(path: str) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def with_row(tmp_path: Path, config: str, **columns: Any) -> OpenedRelease:
    """Return a release whose test split of ``config`` holds one row with these lists of (role, content)."""
    folder = publish(tmp_path / "root")
    path = f"{config}/test-00000-of-00001.parquet"
    data = {name: [[{"role": role, "content": text} for role, text in value]] for name, value in columns.items()}
    schema = pa.schema([(name, MESSAGES) for name in columns] + [("row_id", pa.string())])
    pq.write_table(pa.table({**data, "row_id": ["abc"]}, schema), folder / path)
    manifest = read_manifest(folder)
    manifest["files"] = [file for file in manifest["files"] if file["path"] != path]
    size = (folder / path).stat().st_size
    entry = {"path": path, "bytes": size, "sha256": "0" * 64, "rows": 1, "config": config, "split": "test"}
    manifest["files"].append(entry)
    write_manifest(folder, manifest)
    return open_release("text2sql", root=tmp_path / "root")


def test_each_split_becomes_a_file_of_chats(release: OpenedRelease, tmp_path: Path) -> None:
    written = export(release, tmp_path / "out")

    assert {file.split: file.rows for file in written} == SPLIT_ROWS
    assert [Path(file.path).name for file in written] == [
        f"text2sql-v1-sft-{split}.jsonl" for split in ("train", "validation", "test")
    ]
    lines = lines_of(written[0].path)
    assert len(lines) == 30
    assert lines[3] == {
        "messages": [
            {"role": "system", "content": "CREATE TABLE t"},
            {"role": "user", "content": "train: Ünï\u2028 3?"},
            {"role": "assistant", "content": "SELECT 3"},
        ]
    }
    assert written[0].bytes == Path(written[0].path).stat().st_size


def test_preferences_are_written_as_openai_takes_them(release: OpenedRelease, tmp_path: Path) -> None:
    written = export(release, tmp_path / "out", ExportFormat.OPENAI_PREFERENCE)

    assert [file.split for file in written] == ["train", "validation"]
    assert lines_of(written[1].path)[0] == {
        "input": {
            "messages": [
                {"role": "system", "content": "CREATE TABLE t"},
                {"role": "user", "content": "validation: Ünï\u2028 0?"},
            ]
        },
        "preferred_output": [{"role": "assistant", "content": "SELECT 0"}],
        "non_preferred_output": [{"role": "assistant", "content": "SELECT -0, 'wrong'"}],
    }


def test_equal_releases_give_equal_bytes_wherever_they_lie(release: OpenedRelease, tmp_path: Path) -> None:
    publish(tmp_path / "elsewhere")

    export(release, tmp_path / "out")
    export(release, tmp_path / "out")
    export(open_release("text2sql", root=tmp_path / "elsewhere"), tmp_path / "other")

    assert tree(tmp_path / "out") == tree(tmp_path / "other")
    assert len(tree(tmp_path / "out")) == 3


@pytest.mark.parametrize(
    ("messages", "what"),
    [
        ([("user", "q"), ("assistant", " ")], "message of the assistant without content"),
        ([("user", "q"), ("assistant", None)], "message of the assistant without content"),
        ([("user", "q")], "roles user, not"),
        ([("assistant", "a")], "roles assistant, not"),
        ([("user", "q"), ("system", "s"), ("assistant", "a")], "roles user, system, assistant"),
        ([("system", "s"), ("system", "s"), ("user", "q"), ("assistant", "a")], "roles system, system"),
        ([("system", "s"), ("user", "q"), ("tool", "a")], "roles system, user, tool"),
        ([], "roles none"),
    ],
)
def test_a_chat_that_would_be_refused_is_named_and_nothing_is_written(
    tmp_path: Path, messages: list[tuple[str, str | None]], what: str
) -> None:
    release = with_row(tmp_path, "sft", messages=messages)

    with pytest.raises(ExportError, match=f"row abc cannot be exported: .*{what}"):
        export(release, tmp_path / "out")

    assert tree(tmp_path / "out") == {}


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"chosen": [("assistant", "same")], "rejected": [("assistant", "same")]}, "are the same answer"),
        ({"chosen": [("user", "x")]}, "chosen is not one message of the assistant"),
        ({"rejected": [("assistant", "a"), ("user", "b")]}, "rejected is not one message of the assistant"),
        ({"prompt": [("user", "q"), ("assistant", "a")]}, "must end with user"),
        ({"prompt": [("user", "")]}, "without content"),
    ],
)
def test_a_preference_that_would_be_refused_is_named(
    tmp_path: Path, changed: dict[str, list[tuple[str, str]]], what: str
) -> None:
    right = {"prompt": [("user", "q")], "chosen": [("assistant", "a")], "rejected": [("assistant", "b")]}
    release = with_row(tmp_path, "preference", **right | changed)

    with pytest.raises(ExportError, match=what):
        export(release, tmp_path / "out", ExportFormat.OPENAI_PREFERENCE)

    assert tree(tmp_path / "out") == {}


def test_an_earlier_export_stays_when_a_new_one_fails(release: OpenedRelease, tmp_path: Path) -> None:
    export(release, tmp_path / "out")
    before = tree(tmp_path / "out")

    with pytest.raises(ExportError):
        export(with_row(tmp_path, "sft", messages=[("user", "q")]), tmp_path / "out")

    assert tree(tmp_path / "out") == before


def test_a_release_without_the_config_is_refused(tmp_path: Path) -> None:
    publish_format_1(tmp_path / "root")

    with pytest.raises(UnknownConfigError, match="has no config 'sft' here; it has default"):
        export(open_release("text2sql", root=tmp_path / "root"), tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_said(release: OpenedRelease, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")

    with pytest.raises(StorageError, match=r"cannot write .*out: File exists"):
        export(release, tmp_path / "out")
