"""Publishing: what is live is whole, only what changed is written, and earlier publications can come back."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feedback_pipeline.example_index.catalog import (
    IndexCatalog,
    IndexNotFoundError,
    Publication,
    UnknownPublicationError,
)
from feedback_pipeline.example_index.publish import IndexCheckError, PublishResult, _check, publish
from feedback_pipeline.example_index.rows import index_rows
from feedback_pipeline_tests.encoders import HashEncoder
from feedback_pipeline_tests.example_index.samples import Example, embedded, example_id, questions

ENCODER = HashEncoder()


@pytest.fixture
def catalog(tmp_path: Path) -> IndexCatalog:
    return IndexCatalog(str(tmp_path))


def put(catalog: IndexCatalog, *examples: Example, encoder: HashEncoder = ENCODER) -> PublishResult:
    return publish(catalog, embedded(encoder, *examples), encoder.fingerprint)


def live(catalog: IndexCatalog) -> Publication:
    publication = catalog.live()
    assert publication is not None
    return publication


def live_rows(catalog: IndexCatalog) -> pa.Table:
    table = catalog.open_publication(live(catalog))
    return table.search().limit(None).to_arrow().sort_by("example_id")


def live_sql(catalog: IndexCatalog) -> dict[str, str]:
    rows = live_rows(catalog)
    return dict(zip(rows["natural_query"].to_pylist(), rows["sql"].to_pylist(), strict=True))


def test_the_first_publication_holds_every_example(catalog: IndexCatalog):
    result = put(catalog, *questions(5))

    assert (result.changed, result.upserted, result.removed) == (True, 5, 0)
    assert live(catalog) == result.publication
    assert (result.publication.version, result.publication.rows, result.publication.dimension) == (1, 5, 8)
    assert len(live_sql(catalog)) == 5


def test_equal_content_in_any_order_publishes_nothing(catalog: IndexCatalog):
    first = put(catalog, *questions(5))

    second = put(catalog, *reversed(questions(5)))

    assert (second.changed, second.upserted, second.removed) == (False, 0, 0)
    assert second.publication == first.publication
    assert catalog.publications() == [first.publication]


def test_only_what_changed_is_written(catalog: IndexCatalog):
    put(catalog, *questions(5))

    result = put(catalog, *questions(3), ("shop", "question 3", "SELECT 'better'"), ("shop", "new"))

    assert (result.upserted, result.removed) == (2, 1)
    assert live_sql(catalog) == {
        **{f"question {n}": f"SELECT 'question {n}'" for n in range(3)},
        "question 3": "SELECT 'better'",
        "new": "SELECT 'new'",
    }


def test_thousands_of_removals_are_all_made(catalog: IndexCatalog):
    put(catalog, *questions(2_500))

    result = put(catalog, *questions(1))

    assert result.removed == 2_499
    assert len(live_sql(catalog)) == 1


def test_everything_may_go(catalog: IndexCatalog):
    put(catalog, *questions(2))

    assert put(catalog).publication.rows == 0
    assert put(catalog, *questions(2)).publication.version == 3
    assert len(live_sql(catalog)) == 2


def test_an_empty_first_publication_is_one(catalog: IndexCatalog):
    assert put(catalog).publication.rows == 0
    assert put(catalog, *questions(2)).upserted == 2


def test_rolling_back_shows_the_earlier_rows_and_publishing_goes_on_from_there(catalog: IndexCatalog):
    put(catalog, *questions(2))
    put(catalog, *questions(3))

    catalog.rollback(1)

    assert live(catalog).version == 1
    assert len(live_sql(catalog)) == 2
    assert put(catalog, *questions(2)).changed is False
    assert put(catalog, *questions(4)).publication.version == 3
    assert len(live_sql(catalog)) == 4


def test_another_model_replaces_all_vectors_and_the_former_ones_can_come_back(catalog: IndexCatalog):
    other = HashEncoder(dimension=4, fingerprint="other")
    put(catalog, *questions(3))

    result = put(catalog, *questions(3), encoder=other)

    assert (result.upserted, result.publication.dimension) == (3, 4)
    assert live_rows(catalog)["vector"].type.list_size == 4
    assert catalog.rollback(1).dimension == 8
    assert live_rows(catalog)["vector"].type.list_size == 8
    assert [publication.version for publication in catalog.publications()] == [1, 2]


def test_publishing_after_rolling_back_from_another_model_uses_the_old_vectors(catalog: IndexCatalog):
    same_size = HashEncoder(fingerprint="other", dimension=8)
    put(catalog, *questions(3))
    table = embedded(same_size, *questions(3))
    zeros = pa.FixedSizeListArray.from_arrays(pa.array([0.0] * 24, pa.float32()), 8)
    publish(catalog, table.set_column(table.schema.get_field_index("vector"), "vector", zeros), "other")
    catalog.rollback(1)

    put(catalog, *questions(4))

    wanted = embedded(ENCODER, *questions(4)).sort_by("example_id")
    assert live_rows(catalog)["vector"].to_pylist() == wanted["vector"].to_pylist()


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 2), (3, 3)])
def test_what_a_crashed_publish_wrote_never_gets_live(catalog: IndexCatalog, before: int, after: int):
    put(catalog, *questions(before))
    left_over = embedded(HashEncoder(fingerprint="other", dimension=4), *questions(3))
    catalog.connect().create_table("examples", data=left_over, mode="overwrite")

    put(catalog, *questions(after), ("shop", "and one more"))

    wanted = embedded(ENCODER, *questions(after), ("shop", "and one more")).sort_by("example_id")
    assert live_rows(catalog)["vector"].to_pylist() == wanted["vector"].to_pylist()


def test_a_repeated_example_is_refused_and_live_stays(catalog: IndexCatalog):
    first = put(catalog, *questions(2))

    with pytest.raises(IndexCheckError, match="more than once"):
        put(catalog, *questions(2), ("shop", "again"), ("shop", "again"))

    assert live(catalog) == first.publication
    assert put(catalog, *questions(3)).publication.rows == 3


def test_a_table_that_does_not_hold_what_was_given_fails_the_check(catalog: IndexCatalog):
    table = catalog.connect().create_table("examples", data=index_rows(embedded(ENCODER, *questions(3))))

    _check(table, 3)
    with pytest.raises(IndexCheckError, match="holds 3 rows, not the 4"):
        _check(table, 4)


def test_rows_without_vector_are_refused_and_live_stays(catalog: IndexCatalog):
    first = put(catalog, *questions(2))
    whole = embedded(ENCODER, *questions(2))
    bare = pa.array([None, [0.0] * 8], pa.list_(pa.float32(), 8))
    gaps = whole.set_column(whole.schema.get_field_index("vector"), "vector", bare)

    with pytest.raises(IndexCheckError, match=r"1 vector\(s\) are missing"):
        publish(catalog, gaps, ENCODER.fingerprint)

    assert live(catalog) == first.publication


def test_an_unknown_version_names_those_there_are(catalog: IndexCatalog):
    put(catalog, *questions(1))
    put(catalog, *questions(2))

    with pytest.raises(UnknownPublicationError, match="no index version 7; published versions: 1, 2"):
        catalog.rollback(7)
    assert live(catalog).version == 2


def test_nothing_published_has_no_versions(catalog: IndexCatalog):
    assert catalog.live() is None
    assert catalog.publications() == []
    with pytest.raises(UnknownPublicationError, match="none"):
        catalog.rollback(1)


def test_a_table_without_publication_is_told_apart_from_a_live_one(catalog: IndexCatalog):
    catalog.connect().create_table("examples", data=embedded(ENCODER, *questions(1)))

    assert catalog.live() is None
    with pytest.raises(IndexNotFoundError, match="no live publication"):
        catalog.live_table_version(catalog.open_table())
    assert put(catalog, *questions(2)).publication.version == 1


@pytest.mark.parametrize("note", [None, "", "[]", '{"version": 1}'])
def test_a_missing_or_damaged_note_is_a_partial_copy(catalog: IndexCatalog, note: str | None):
    publication = put(catalog, *questions(1)).publication
    path = Path(catalog.root) / "index" / "publications" / f"{publication.table_version}.json"
    path.unlink() if note is None else path.write_text(note)

    with pytest.raises(IndexNotFoundError, match="copied in part"):
        catalog.of_table_version(publication.table_version)


def test_odd_database_ids_are_kept_and_found(catalog: IndexCatalog):
    names = ["it's", 'a "b"', "100%_", "x' OR '1'='1", "日本", ""]

    put(catalog, *((name, f"question of {name}") for name in names))

    table = catalog.open_publication(live(catalog))
    for name in names:
        assert catalog.read_rows(table, name)["example_id"].to_pylist() == [example_id(name, f"question of {name}")]


def test_a_vector_index_is_built_for_many_rows_only(catalog: IndexCatalog):
    few, many = embedded(ENCODER, *questions(300)), embedded(ENCODER, *questions(600))

    publish(catalog, few, "hash", vector_index_min_rows=500)
    without = {column for index in catalog.open_table().list_indices() for column in index.columns}
    publish(catalog, many, "hash", vector_index_min_rows=500)
    with_index = {column for index in catalog.open_table().list_indices() for column in index.columns}

    assert (without, with_index) == ({"database_id"}, {"database_id", "vector", "masked_vector"})
    assert len(live_sql(catalog)) == 600


def test_a_change_of_weight_is_a_change(catalog: IndexCatalog):
    put(catalog, *questions(2))
    table = embedded(ENCODER, *questions(2))
    heavier = table.set_column(
        table.schema.get_field_index("weight"), table.schema.field("weight"), pa.array([2.0, 1.0], pa.float64())
    )

    assert publish(catalog, heavier, "hash").upserted == 1


def test_what_each_database_holds_is_told_without_the_table(catalog: IndexCatalog):
    first = put(catalog, *questions(3), ("bank", "tea")).publication
    second = put(catalog, *questions(3), ("bank", "coffee"), ("bank", "tea")).publication

    before, after = catalog.databases(first), catalog.databases(second)

    assert {name: content.rows for name, content in before.items()} == {"bank": 1, "shop": 3}
    assert {name: content.rows for name, content in after.items()} == {"bank": 2, "shop": 3}
    assert before["shop"] == after["shop"]
    assert before["bank"].digest != after["bank"].digest


def test_another_sample_of_values_is_another_publication_of_the_same_rows(catalog: IndexCatalog):
    rows, sample = embedded(ENCODER, *questions(3)), {"shop": [("Berlin", "city.name")]}
    first = publish(catalog, rows, "hash").publication

    result = publish(catalog, rows, "hash", samples=sample)

    assert (result.changed, result.upserted, result.removed) == (True, 0, 0)
    assert live(catalog).values_digest != first.values_digest
    assert publish(catalog, rows, "hash", samples=sample).changed is False


def fragments(catalog: IndexCatalog) -> list[int]:
    found = catalog.open_publication(live(catalog)).search().select(["example_id"]).with_row_id(True).limit(None)
    row_ids = found.to_arrow()["_rowid"].to_numpy()
    return np.unique(row_ids >> 32, return_counts=True)[1].tolist()


def test_rows_are_written_sorted_by_database(catalog: IndexCatalog):
    put(catalog, *((name, f"question {n}") for n in range(20) for name in ("shop", "bank")))

    stored = catalog.open_publication(live(catalog)).search().limit(None).to_arrow()

    assert stored["database_id"].to_pylist() == ["bank"] * 20 + ["shop"] * 20


def test_many_small_publications_leave_few_fragments_and_all_rows(catalog: IndexCatalog):
    put(catalog, *questions(300))
    most = 0
    for number in range(1, 36):
        result = put(catalog, *questions(300 + 2 * number))
        assert (result.upserted, result.removed) == (2, 0)
        most = max(most, len(fragments(catalog)))

    assert 2 <= most <= 7
    assert live_rows(catalog)["example_id"].to_pylist() == sorted(
        example_id("shop", f"question {number}") for number in range(370)
    )


def test_a_small_change_writes_few_rows(catalog: IndexCatalog):
    put(catalog, *questions(1_000))

    put(catalog, *questions(999), ("shop", "question 999", "SELECT 'better'"), ("shop", "new"))

    assert fragments(catalog) == [999, 2]
    assert live_sql(catalog)["question 999"] == "SELECT 'better'"
    assert len(live_sql(catalog)) == 1_001


@pytest.mark.parametrize("left", [850, 1_400])
def test_many_changes_write_all_rows_anew_in_order(catalog: IndexCatalog, left: int):
    put(catalog, *questions(1_000))

    put(catalog, *questions(left))

    assert fragments(catalog) == [left]


def test_rows_that_were_merged_are_there_once_and_earlier_states_come_back(catalog: IndexCatalog):
    put(catalog, *questions(500))
    for number in range(1, 8):
        put(catalog, *questions(500 - number), *((f"new {n % 3}", f"question {n}") for n in range(number * 4)))
    assert len(live_rows(catalog)) == 493 + 28

    catalog.rollback(4)

    assert len(live_rows(catalog)) == 497 + 12
    put(catalog, *questions(500), ("shop", "and one more"))
    assert len(live_rows(catalog)) == len(set(live_rows(catalog)["example_id"].to_pylist())) == 501
