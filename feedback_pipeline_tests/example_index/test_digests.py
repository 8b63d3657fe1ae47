"""Digests of rows: equal for equal content only, whatever the order or the way it is cut up."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.example_index.digests import database_contents, publication_digest, row_digests

VALUES = pa.list_(pa.struct([("text", pa.string()), ("start", pa.int32())]))
SCHEMA = pa.schema(
    [
        pa.field("sql", pa.string()),
        pa.field("note", pa.string()),
        pa.field("weight", pa.float64()),
        pa.field("ids", pa.list_(pa.string())),
        pa.field("values", VALUES),
    ]
)
TEXTS = st.none() | st.text(alphabet="ab\x00", max_size=3)
ROWS = st.fixed_dictionaries(
    {
        "sql": TEXTS,
        "note": TEXTS,
        "weight": st.none() | st.sampled_from([0.0, 1.0, 2.5]),
        "ids": st.none() | st.lists(TEXTS, max_size=3),
        "values": st.none()
        | st.lists(
            st.none() | st.fixed_dictionaries({"text": TEXTS, "start": st.none() | st.integers(0, 2)}), max_size=3
        ),
    }
)


def digests(*rows: dict) -> list[str]:
    return row_digests(pa.Table.from_pylist(list(rows), SCHEMA)).to_pylist()


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(ROWS, min_size=1, max_size=6))
def test_digests_are_equal_exactly_where_rows_are(rows: list[dict]):
    found = digests(*rows)

    for one, its in zip(rows, found, strict=True):
        for other, theirs in zip(rows, found, strict=True):
            assert (its == theirs) == (one == other)


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(ROWS, min_size=2, max_size=6), st.data())
def test_the_cut_of_a_table_does_not_matter(rows: list[dict], data: st.DataObject):
    table = pa.Table.from_pylist(rows, SCHEMA)
    cut = data.draw(st.integers(0, len(rows)))

    pieces = pa.concat_tables([table.slice(0, cut), table.slice(cut)])

    assert row_digests(pieces).to_pylist() == row_digests(table).to_pylist()
    assert row_digests(table.slice(cut)).to_pylist() == row_digests(table).to_pylist()[cut:]


def test_a_digest_is_the_same_on_every_machine():
    row = {"sql": "SELECT 1", "note": None, "weight": 2.0, "ids": ["a", "b"], "values": [{"text": "x", "start": 3}]}

    assert digests(row) == ["60d3af6a0f4b74a6"]


def test_the_order_of_columns_does_not_matter():
    table = pa.table({"a": ["x", "y"], "b": ["1", "2"]})

    assert row_digests(table.select(["b", "a"])).to_pylist() == row_digests(table).to_pylist()


def test_no_rows_have_no_digests():
    assert row_digests(SCHEMA.empty_table()).to_pylist() == []


def test_vectors_have_no_digest():
    with pytest.raises(TypeError, match="fixed_size_list"):
        row_digests(pa.table({"vector": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))}))


def contents(rows: list[tuple[str, str]], model: str = "model") -> dict:
    names, hexes = zip(*rows, strict=True) if rows else ((), ())
    database_ids, digests_of = (pa.chunked_array([pa.array(column, pa.string())]) for column in (names, hexes))
    return database_contents(database_ids, digests_of, model)


def test_a_database_is_known_by_its_rows_in_any_order():
    rows = [("shop", "0" * 16), ("bank", "1" * 16), ("shop", "f" * 16)]

    assert contents(rows) == contents(rows[::-1])
    assert {name: content.rows for name, content in contents(rows).items()} == {"bank": 1, "shop": 2}
    assert contents(rows)["bank"] == contents(rows[:2])["bank"]
    assert contents(rows)["shop"] != contents(rows[:2])["shop"]


def test_another_model_or_name_is_another_content():
    rows = [("shop", "0" * 16)]

    assert contents(rows)["shop"] != contents(rows, "other")["shop"]
    assert publication_digest(contents(rows), "model") != publication_digest(contents([("bank", "0" * 16)]), "model")
    assert publication_digest(contents(rows), "model") != publication_digest(contents(rows), "model", "values")


def test_nothing_published_has_a_digest_too():
    assert contents([]) == {}
    assert len(publication_digest({}, "model")) == 64
