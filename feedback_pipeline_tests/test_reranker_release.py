"""Releasing what is stored as the reranker's dataset, and what opting out and erasing do to it."""

from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.dataset_history import explain
from feedback_pipeline.erasure.erase import finish_open_erasures
from feedback_pipeline.erasure.remains import came_back
from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.membership import DatasetMembership, DatasetVersion
from feedback_pipeline.finetune.publishing.leakage import leakage_of_release
from feedback_pipeline.finetune.reading.diff import compare, differences
from feedback_pipeline.finetune.reading.opened import open_release
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker_release import release_reranker
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, list_models, note_model, request_erasure
from feedback_pipeline.store.erasures import close_erasure
from feedback_pipeline.store.interactions import Chunk, Interaction, record_many
from feedback_pipeline.store.opt_outs import opt_out
from feedback_pipeline.store.user_records import remove_user
from feedback_pipeline.tables.stages import StageTables
from feedback_pipeline_tests.reranker.models import facts, write_model
from feedback_pipeline_tests.reranker.samples import dropped, queries, query

ROWS = 12


@pytest.fixture
def tables(store_settings: Settings) -> StageTables:
    return StageTables(store_settings.storage_root)


@pytest.fixture
def ids(store: Store) -> list[int]:
    """Rated answers: two for each query, of which one user got the first four."""
    answers = [
        Interaction(
            "rag",
            f"question {number // 2}",
            user_id="ann@example.com" if number < 4 else f"user {number}",
            feedback=1 if number % 2 == 0 else -1,
            chunks=[Chunk("c1", "a passage", 0.9, 1, True)],
        )
        for number in range(2 * ROWS)
    ]
    return [interaction_id for interaction_id, _ in record_many(store, answers)]


@pytest.fixture
def stored(tables: StageTables, ids: list[int]) -> list[dict[str, Any]]:
    """The stage's rows: query n rests on answers 2n and 2n + 1."""
    rows = []
    for number in range(ROWS):
        up, down = str(ids[2 * number]), str(ids[2 * number + 1])
        rows.append(
            query(number, 1, 1, positive_interactions=[[up]], negative_interactions=[[down]])
            | {"interaction_ids": sorted([up, down])}
        )
    tables.write("reranker_triplets", queries(rows))
    tables.write("reranker_triplets_dropped", dropped((ids[0], 2, "raters disagree"), (ids[9], None, "no chunks")))
    return rows


def released(store: Store, settings: Settings) -> Release:
    release = release_reranker(store, settings).release
    assert release is not None
    return release


def row_ids(release: Release) -> set[str]:
    return set(open_release(release.path).to_arrow()["row_id"].to_pylist())


def test_before_anything_was_rated_nothing_is_released(store: Store, store_settings: Settings) -> None:
    assert release_reranker(store, store_settings).release is None


def test_what_is_stored_is_released_once(store: Store, store_settings: Settings, stored: list[dict[str, Any]]) -> None:
    release = released(store, store_settings)

    assert row_ids(release) == {row["row_id"] for row in stored}
    assert release.manifest["dropped"] == {
        "reranker_triplets: no chunks": 1,
        "reranker_triplets: raters disagree": 1,
    }
    assert release.manifest["leakage"]["near"] == 0
    assert leakage_of_release(release).is_zero
    assert release_reranker(store, store_settings).published is False


def test_ratings_of_who_has_opted_out_since_are_left_out(
    store: Store, store_settings: Settings, stored: list[dict[str, Any]]
) -> None:
    released(store, store_settings)
    opt_out(store, store.hash_user("ann@example.com"))

    release = released(store, store_settings)

    assert (release.version, row_ids(release)) == (2, {row["row_id"] for row in stored[2:]})
    assert release.manifest["dropped"]["reranker_dataset: interaction is not in use any more"] == 2


def test_an_erased_user_is_gone_from_table_and_releases_and_does_not_come_back_unseen(
    store: Store, store_settings: Settings, tables: StageTables, stored: list[dict[str, Any]], ids: list[int]
) -> None:
    first = released(store, store_settings)
    request_erasure(store, store.hash_user("ann@example.com"))

    [receipt] = finish_open_erasures(store_settings, store)

    newest = ReleaseCatalog(store_settings.storage_root).find("reranker")
    assert receipt["removed"]["releases"] == {"reranker": {"rows": 2, "revoked": [1], "new_version": 2}}
    assert receipt["removed"]["tables"] == {"reranker_triplets": 2, "reranker_triplets_dropped": 1}
    assert receipt["verification"]["total"] == 0
    assert row_ids(newest) == {row["row_id"] for row in stored[2:]}
    assert not list(Path(first.path).rglob("*.parquet"))
    assert release_reranker(store, store_settings).published is False
    membership = DatasetMembership(store_settings.storage_root)
    assert membership.versions_with(str(ids[0])) == []
    assert membership.versions_with(str(ids[-1])) == [DatasetVersion("reranker", 2)]
    assert came_back(store_settings, store) == []
    tables.write("reranker_triplets", queries(stored))
    assert came_back(store_settings, store) == [receipt["erasure_id"]]


def test_why_a_query_has_left_is_told_by_the_journal_and_by_what_was_left_out(
    store: Store, store_settings: Settings, tables: StageTables, stored: list[dict[str, Any]], ids: list[int]
) -> None:
    released(store, store_settings)
    table = dropped((ids[9], None, "fault lay elsewhere: tone"))
    tables.write("reranker_triplets", queries(row for n, row in enumerate(stored) if n != 4))
    tables.write("reranker_triplets_dropped", table)
    user = store.hash_user("ann@example.com")
    erasure = request_erasure(store, user)
    remove_user(store, user)
    close_erasure(store, erasure.erasure_id, {}, done=True)
    catalog = ReleaseCatalog(store_settings.storage_root)
    diff = compare(catalog, catalog.find("reranker@v1"), released(store, store_settings))
    removed = differences(diff, "removed")

    causes = [[cause.text for cause in some] for some in explain(diff, removed, store)]
    without_store = [[cause.text for cause in some] for some in explain(diff, removed, None)]

    left_out = "left out: interaction is not in use any more"
    assert causes == [
        [left_out, *(f"interaction {one} was erased" for one in removed[0].feedback_ids)],
        [left_out, *(f"interaction {one} was erased" for one in removed[1].feedback_ids)],
        [f"interaction {ids[9]}: fault lay elsewhere: tone"],
    ]
    assert without_store[:2] == [[left_out], [left_out]]


def test_versions_that_models_were_trained_on_keep_their_data(
    store: Store, store_settings: Settings, tables: StageTables, stored: list[dict[str, Any]]
) -> None:
    settings = store_settings.model_copy(update={"keep_dataset_versions": 1})
    for count in (9, 10, 11):
        tables.write("reranker_triplets", queries(stored[:count]))
        if count == 10:
            note_model(store, "mine", [("reranker", 1)])
        release_reranker(store, settings)
    tables.write("reranker_triplets", queries(stored))

    release_reranker(store, settings)

    releases = ReleaseCatalog(settings.storage_root).releases("reranker")
    assert [(one.version, bool(one.revoked)) for one in releases] == [(1, False), (2, True), (3, True), (4, False)]


def test_a_model_whose_training_was_killed_before_it_was_noted_is_noted_by_the_next_release(
    store: Store, store_settings: Settings, tables: StageTables, stored: list[dict[str, Any]], tmp_path: Path
) -> None:
    tables.write("reranker_triplets", queries(stored))
    release = release_reranker(store, store_settings).release
    assert release is not None
    dataset = {"name": "reranker", "version": 1, "digest": release.digest}
    ModelRegistry(store_settings.storage_root).add(write_model(tmp_path), {}, facts("key", dataset=dataset))

    release_reranker(store, store_settings)

    assert [(one.name, one.version) for one in list_models(store)] == [("reranker v1", 1)]
