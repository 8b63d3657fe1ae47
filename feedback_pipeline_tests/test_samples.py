"""Loading the committed sample: complete, repeatable and apart from real feedback."""

from pathlib import Path

import pytest

from feedback_pipeline.intake.samples import REVIEWER, SOURCE, SampleError, SampleReport, load_samples
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Store,
    count_by_source,
    count_by_status,
    get_database,
    get_feedback,
    list_feedback,
    open_store,
)
from feedback_pipeline_tests.store.samples import settings_at, submit


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings that ``sqlite_store`` was opened with."""
    return settings_at(tmp_path / "sqlite")


def counts(report: SampleReport) -> tuple[int, int, int, int]:
    return (
        report.corrections.stored,
        report.corrections.verified,
        report.interactions.stored,
        report.corrections.already_known,
    )


def test_everything_is_stored_and_what_passes_is_verified(sqlite_store: Store, settings: Settings) -> None:
    report = load_samples(sqlite_store, settings)

    assert counts(report) == (404, 396, 73, 0)
    assert count_by_source(sqlite_store) == {SOURCE: 404}
    by_status = count_by_status(sqlite_store)
    assert (by_status["pending"], by_status["verified"]) == (8, 396)
    some = list_feedback(sqlite_store, status="verified", limit=1)[0]
    assert get_feedback(sqlite_store, some["feedback_id"])["history"][-1]["actor"] == REVIEWER


def test_loading_twice_stores_nothing_twice(sqlite_store: Store, settings: Settings) -> None:
    load_samples(sqlite_store, settings)

    assert counts(load_samples(sqlite_store, settings)) == (0, 0, 0, 404)
    assert count_by_source(sqlite_store) == {SOURCE: 404}


def test_the_shop_database_is_built_whole_and_registered(sqlite_store: Store, settings: Settings) -> None:
    load_samples(sqlite_store, settings)

    shop = get_database(sqlite_store, "shop")
    assert len(shop.schema or {}) == 11
    assert [path.name for path in (settings.local_root / "sample_database").iterdir()] == ["shop.sqlite"]


def test_what_an_interrupted_build_left_is_replaced(sqlite_store: Store, settings: Settings) -> None:
    part = settings.local_root / "sample_database" / "shop.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")

    load_samples(sqlite_store, settings)

    assert not part.exists()


def test_other_feedback_is_not_mixed_with(sqlite_store: Store, settings: Settings) -> None:
    submit(sqlite_store, "a", "b")

    with pytest.raises(SampleError, match="already holds 2 corrections that are no sample"):
        load_samples(sqlite_store, settings)
    assert count_by_source(sqlite_store) == {"import": 2}


def test_feedback_ids_are_the_same_in_every_store(tmp_path: Path, sqlite_store: Store, settings: Settings) -> None:
    other_settings = settings_at(tmp_path / "other")
    other = open_store(other_settings)
    for store, place in ((sqlite_store, settings), (other, other_settings)):
        load_samples(store, place)

    ids = [{row["feedback_id"] for row in list_feedback(store)} for store in (sqlite_store, other)]
    other.close()
    assert ids[0] == ids[1]
