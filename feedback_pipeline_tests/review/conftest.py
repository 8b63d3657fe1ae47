"""Feedback that reviewers look at, over a database it can be run on."""

import sqlite3
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, register_database, submit_many
from feedback_pipeline_tests.store.samples import submission

LONG, WIDE, WRONG = (
    "SELECT name FROM river WHERE length > 1000",
    "SELECT name FROM river WHERE width > 2",
    "SELECT nothing FROM river",
)
Say = Callable[..., str]


@pytest.fixture
def geo(store: Store, tmp_path: Path) -> None:
    """Register a database with rivers, so that SQL is run."""
    with sqlite3.connect(tmp_path / "geo.sqlite") as connection:
        connection.execute("CREATE TABLE river (name TEXT, length INTEGER, width INTEGER)")
        connection.executemany("INSERT INTO river VALUES (?, ?, ?)", [("Rhine", 1233, 1), ("Elbe", 1094, 3)])
    connection.close()
    register_database(store, "geo", "sqlite", url=str(tmp_path / "geo.sqlite"))


@pytest.fixture
def say(store: Store, geo: None) -> Say:
    """Submit a correction and return its id; keyword arguments replace its fields."""
    keys = count(1)

    def submit(sql: str = LONG, question: str = "Which rivers are long?", **changes: Any) -> str:
        fields = {"corrected_sql": sql, "natural_query": question, "user_id": "ann", **changes}
        [stored] = submit_many(store, [submission(f"r{next(keys)}", **fields)])
        return stored.feedback_id

    return submit


@pytest.fixture
def two_reviewers(store_settings: Settings) -> Settings:
    """Settings under which two reviewers have to agree."""
    return store_settings.model_copy(update={"reviewers_per_item": 2})
