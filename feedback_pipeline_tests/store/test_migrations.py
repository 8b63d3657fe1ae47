from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, StoreUnavailableError, count_by_status, open_store
from feedback_pipeline.store.migrations import HEAD, VERSION_TABLE, alembic_config
from feedback_pipeline.store.models import Base
from feedback_pipeline_tests.store.running import start
from feedback_pipeline_tests.store.samples import settings_at

OPEN = """
import sys
from feedback_pipeline.settings import get_settings
from feedback_pipeline.store import count_by_status, open_store
count_by_status(open_store(get_settings()))
print("alembic" in sys.modules)
"""


@pytest.fixture(params=["sqlite", "postgres"])
def empty_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = request.getfixturevalue("empty_postgres_url")() if request.param == "postgres" else None
    return settings_at(tmp_path / "data", url)


def test_migrations_lead_to_the_models(store: Store) -> None:
    with store.engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    assert differences == []


def test_head_is_the_last_migration() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD


def test_downgrade_removes_every_table(store: Store) -> None:
    from alembic import command

    with store.engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
        command.upgrade(alembic_config(connection), "head")

    assert sum(count_by_status(store).values()) == 0


def test_processes_that_open_an_empty_store_at_once_all_succeed(empty_settings: Settings) -> None:
    processes = [start(OPEN, empty_settings) for _ in range(4)]

    outputs = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0] * 4, outputs


def test_opening_a_current_store_does_not_import_alembic(store: Store, store_settings: Settings) -> None:
    output, errors = start(OPEN, store_settings).communicate(timeout=60)

    assert output.strip() == "False", errors


def test_a_foreign_alembic_version_table_is_left_alone(empty_settings: Settings) -> None:
    first = open_store(empty_settings)
    with first.begin() as session:
        session.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        session.execute(text("INSERT INTO alembic_version VALUES ('of another program')"))

    second = open_store(empty_settings)

    with second.read() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "of another program"
    first.close()
    second.close()


def test_a_store_from_the_future_is_refused(empty_settings: Settings) -> None:
    store = open_store(empty_settings)
    with store.begin() as session:
        session.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))

    with pytest.raises(StoreUnavailableError, match=r"revision 9999.*Upgrade feedback-pipeline"):
        open_store(empty_settings)
    store.close()
