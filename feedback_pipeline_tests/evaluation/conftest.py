"""A workspace with the encoder exported once, and questions about rivers with a database to run their SQL on."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedback_pipeline.evaluation.workspace import Workspace, workspace
from feedback_pipeline.settings import Settings

Write = Callable[[list[dict]], Path]

STATES = ("ohio", "texas", "utah", "iowa", "maine")


def longest(state: str) -> dict:
    return {
        "natural_query": f"what is the longest river in {state}",
        "sql": f"SELECT name FROM river WHERE state = '{state}' ORDER BY length DESC LIMIT 1",
        "variables": {"state_name0": state},
    }


def count(state: str) -> dict:
    return {
        "natural_query": f"how many rivers are there in {state}",
        "sql": f"SELECT count(*) FROM river WHERE state = '{state}'",
        "variables": {"state_name0": state},
    }


def split_rows() -> list[dict]:
    """Two templates; the states asked about differ from those indexed."""
    train = [{**make(state), "split": "train"} for state in STATES[:3] for make in (longest, count)]
    test = [{**make(state), "split": "test"} for state in STATES[3:] for make in (longest, count)]
    return train + test


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows into an evaluation file."""

    def written(rows: list[dict]) -> Path:
        path = tmp_path / "rivers.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return written


@pytest.fixture
def place(exported_root: Path) -> Iterator[Workspace]:
    """A workspace of the test's own."""
    with workspace(Settings(storage_root=str(exported_root))) as opened:
        yield opened


@pytest.fixture
def databases(tmp_path: Path) -> Path:
    """A folder with the SQLite database ``rivers``."""
    folder = tmp_path / "databases"
    folder.mkdir()
    with sqlite3.connect(folder / "rivers.sqlite") as connection:
        connection.execute("CREATE TABLE river (name TEXT, state TEXT, length INTEGER)")
        rows = [(f"{state} {number}", state, number) for state in STATES for number in range(1, len(state) + 1)]
        connection.executemany("INSERT INTO river VALUES (?, ?, ?)", rows)
    connection.close()
    return folder
