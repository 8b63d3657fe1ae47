"""The gate between stages: what it lets pass, and how it names what it does not."""

import pyarrow as pa
import pytest

from feedback_pipeline.schemas import EXAMPLES, ContractError, embedded_feedback, require

SCHEMA = pa.schema([pa.field("name", pa.string(), nullable=False), pa.field("count", pa.int32())])


def test_a_table_is_cast_and_put_in_order():
    table = pa.table({"extra": [1], "count": pa.array([2], pa.int64()), "name": ["a"]})

    assert require(table, SCHEMA, "stage").equals(pa.table({"name": ["a"], "count": [2]}, schema=SCHEMA))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pa.table({"name": ["a"]}), r"stage: missing column\(s\) count"),
        (pa.table({"count": [1]}), r"stage: missing column\(s\) name"),
        (pa.table({"name": ["a", None], "count": [1, 2]}), "stage: .*name"),
        (pa.table({"name": ["a"], "count": ["many"]}), "stage: "),
        (pa.table({"name": ["a"], "count": [2**40]}), "stage: "),
        (pa.table({"name": ["a"], "count": [[1]]}), "stage: "),
    ],
)
def test_anything_else_is_refused_by_stage_and_column(table: pa.Table, said: str):
    with pytest.raises(ContractError, match=said):
        require(table, SCHEMA, "stage")


def test_an_empty_table_passes():
    assert require(SCHEMA.empty_table(), SCHEMA, "stage").num_rows == 0


def test_vectors_of_another_dimension_break_the_contract():
    rows = pa.table({"vector": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))})
    wanted = pa.schema([embedded_feedback(3).field("vector")])

    with pytest.raises(ContractError, match="embedded"):
        require(rows, wanted, "embedded")


def test_embedded_rows_are_deduped_rows_with_their_masked_questions_and_vectors():
    assert embedded_feedback(4).names == [*EXAMPLES.names, "masked_query", "values", "vector", "masked_vector"]
