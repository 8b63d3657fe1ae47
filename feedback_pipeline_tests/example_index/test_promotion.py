"""Promotion: the statuses in the store follow what is live."""

from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import select

from feedback_pipeline.curation.encoder import SentenceEncoder
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.promotion import PromotionResult, promote
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline.store import Store, decide, get_feedback, remove_user
from feedback_pipeline.store.models import ExampleSourceRow
from feedback_pipeline_tests.encoders import HashEncoder
from feedback_pipeline_tests.example_index.samples import embedded, example_id
from feedback_pipeline_tests.store.samples import submit


@pytest.fixture
def catalog(tmp_path: Path, exported_root: Path) -> IndexCatalog:
    (tmp_path / "encoders").symlink_to(exported_root / "encoders")
    return IndexCatalog(str(tmp_path))


@pytest.fixture
def ids(sqlite_store: Store) -> list[str]:
    """Two verified corrections, one that is pending and one that was rejected."""
    ids = submit(sqlite_store, "a", "b", "c", "d")
    decide(sqlite_store, ids[:2], "verified", actor="ada")
    decide(sqlite_store, ids[3:], "rejected", actor="ada")
    return ids


def table(*groups: list[str]) -> pa.Table:
    """Return one embedded example per group of feedback ids."""
    encoder = HashEncoder(SentenceEncoder().dimension)
    rows = embedded(encoder, *(("geo", f"question {group[0]}") for group in groups))
    column = rows.schema.get_field_index("feedback_ids")
    return rows.set_column(column, rows.schema.field(column), pa.array(groups, pa.list_(pa.string())))


def promoted(store: Store, catalog: IndexCatalog, *groups: list[str]) -> PromotionResult:
    return promote(store, catalog, table(*groups), SentenceEncoder(), vector_index_min_rows=1_000)


def statuses(store: Store, ids: list[str]) -> list[str]:
    return [get_feedback(store, feedback_id)["status"] for feedback_id in ids]


def last_event(store: Store, feedback_id: str) -> dict:
    return get_feedback(store, feedback_id)["history"][-1]


def test_everybody_behind_a_live_example_hears_of_it(
    sqlite_store: Store, catalog: IndexCatalog, ids: list[str]
) -> None:
    result = promoted(sqlite_store, catalog, ids[:2])

    assert (result.applied, result.set_aside, result.published.changed) == (2, 0, True)
    assert statuses(sqlite_store, ids) == ["applied", "applied", "pending", "rejected"]
    event = last_event(sqlite_store, ids[0])
    assert (event["actor"], event["payload"]) == ("pipeline", {"index_version": 1})


def test_promoting_again_changes_nothing(sqlite_store: Store, catalog: IndexCatalog, ids: list[str]) -> None:
    promoted(sqlite_store, catalog, ids[:1], ids[1:2])

    again = promoted(sqlite_store, catalog, ids[:1], ids[1:2])

    assert (again.applied, again.set_aside, again.published.changed) == (0, 0, False)
    assert [event["event"] for event in get_feedback(sqlite_store, ids[0])["history"]].count("applied") == 1


def test_what_left_the_index_loses_its_status(sqlite_store: Store, catalog: IndexCatalog, ids: list[str]) -> None:
    promoted(sqlite_store, catalog, ids[:1], ids[1:2])

    result = promoted(sqlite_store, catalog, ids[:1])

    assert (result.applied, result.set_aside) == (0, 1)
    assert statuses(sqlite_store, ids[:2]) == ["applied", "verified"]
    assert last_event(sqlite_store, ids[1])["reason"] == "not in the live example index any more"


def test_a_crash_between_publishing_and_telling_is_mended(
    sqlite_store: Store, catalog: IndexCatalog, ids: list[str]
) -> None:
    publish(catalog, table(ids[:1]), SentenceEncoder().fingerprint)

    result = promoted(sqlite_store, catalog, ids[:1])

    assert (result.published.changed, result.applied) == (False, 1)
    assert statuses(sqlite_store, ids[:2]) == ["applied", "verified"]


def test_what_rests_on_feedback_taken_back_meanwhile_is_not_published(
    sqlite_store: Store, catalog: IndexCatalog, ids: list[str]
) -> None:
    result = promoted(sqlite_store, catalog, [ids[0], ids[3]], ids[1:2])

    assert (result.applied, result.published.publication.rows) == (1, 1)
    assert statuses(sqlite_store, ids) == ["verified", "applied", "pending", "rejected"]


def test_an_empty_index_is_published_too(sqlite_store: Store, catalog: IndexCatalog, ids: list[str]) -> None:
    promoted(sqlite_store, catalog, ids[:1])

    result = promoted(sqlite_store, catalog)

    assert (result.published.publication.rows, result.set_aside) == (0, 1)


def sources(store: Store) -> set[tuple[str, str]]:
    with store.read() as session:
        return set(session.execute(select(ExampleSourceRow.example_id, ExampleSourceRow.feedback_id)).tuples())


def of(feedback_id: str) -> str:
    """Return the id of the example that ``table`` makes of a group that begins with this feedback."""
    return example_id("geo", f"question {feedback_id}")


def test_it_is_noted_what_each_example_rests_on(sqlite_store: Store, catalog: IndexCatalog, ids: list[str]) -> None:
    promoted(sqlite_store, catalog, ids[:2])

    assert sources(sqlite_store) == {(of(ids[0]), ids[0]), (of(ids[0]), ids[1])}


def test_what_an_example_once_rested_on_stays_noted(sqlite_store: Store, catalog: IndexCatalog, ids: list[str]) -> None:
    promoted(sqlite_store, catalog, ids[:1])

    promoted(sqlite_store, catalog, ids[1:2])

    assert sources(sqlite_store) == {(of(ids[0]), ids[0]), (of(ids[1]), ids[1])}


def test_a_crash_before_the_sources_were_noted_is_mended(
    sqlite_store: Store, catalog: IndexCatalog, ids: list[str]
) -> None:
    publish(catalog, table(ids[:1]), SentenceEncoder().fingerprint)
    assert sources(sqlite_store) == set()

    promoted(sqlite_store, catalog, ids[:1])

    assert sources(sqlite_store) == {(of(ids[0]), ids[0])}


def test_feedback_erased_while_publishing_stops_nothing(
    sqlite_store: Store, catalog: IndexCatalog, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish_and_erase(*args, **options):
        result = publish(*args, **options)
        remove_user(sqlite_store, sqlite_store.hash_user("ann@example.com"))
        return result

    monkeypatch.setattr("feedback_pipeline.example_index.promotion.publish", publish_and_erase)

    result = promoted(sqlite_store, catalog, ids[:1], ids[1:2])

    assert (result.published.changed, result.applied) == (True, 0)
    assert sources(sqlite_store) == set()
