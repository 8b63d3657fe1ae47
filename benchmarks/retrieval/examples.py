"""Made-up embedded examples in any number: vectors from a seed, real texts and vectors for those that are asked for."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from feedback_pipeline.schemas import embedded_feedback

DIMENSION = 384
_THINGS = ["player", "team", "episode", "river", "album", "driver", "station", "senator", "school", "stadium"]
_FACTS = ["score", "year", "position", "length", "title", "district", "country", "capacity", "result", "attendance"]
_ROWS_AT_ONCE = 50_000
UNRELATED = 20_000_000
"""Examples from this number on have texts that no question resembles."""


def database_name(number: int) -> str:
    """Return the id of a database."""
    return f"db_{number:04d}"


def question_text(number: int) -> str:
    """Return a question; every number gives another one."""
    thing, fact, other = (_THINGS[number % 10], _FACTS[number // 10 % 10], _FACTS[number // 100 % 10])
    return f"What is the {fact} of the {thing} whose {other} is royal harbour {number}?"


def examples(rows: int, databases: int, first: int = 0) -> pa.Table:
    """Return ``rows`` examples (schemas.embedded_feedback), numbered from ``first`` and dealt out over databases."""
    return examples_of(rows, lambda number: number % databases, first)


def examples_of(rows: int, database_of: Callable[[int], int], first: int = 0) -> pa.Table:
    """Return ``rows`` examples, numbered from ``first``; ``database_of`` tells the number of the database of each."""
    parts = [
        _some(np.arange(start, min(start + _ROWS_AT_ONCE, first + rows)), database_of)
        for start in range(first, first + rows, _ROWS_AT_ONCE)
    ]
    return pa.concat_tables(parts)


def unit_vectors(rows: int, seed: int) -> np.ndarray:
    """Return float32 of shape (rows, DIMENSION), evenly spread over directions."""
    vectors = np.random.default_rng(seed).standard_normal((rows, DIMENSION), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def with_vectors(table: pa.Table, vectors: np.ndarray) -> pa.Table:
    """Return the table with these vectors in all its vector columns, from the first row on."""
    for number, field in enumerate(table.schema):
        if pa.types.is_fixed_size_list(field.type):
            ahead = _column(vectors).cast(field.type)
            rest = table[field.name].slice(len(vectors))
            table = table.set_column(number, field, pa.chunked_array([ahead, *rest.chunks]))
    return table


def _some(numbers: np.ndarray, database_of: Callable[[int], int]) -> pa.Table:
    schema = embedded_feedback(DIMENSION)
    return pa.Table.from_arrays([_values(field, numbers, database_of) for field in schema], schema=schema)


def _values(field: pa.Field, numbers: np.ndarray, database_of: Callable[[int], int]) -> pa.Array:
    """Return the values of one column; a text or list nobody asks for may be anything."""
    if pa.types.is_fixed_size_list(field.type):
        seed = int(numbers[0]) * 2 + (field.name != "vector")
        return _column(unit_vectors(len(numbers), seed)).cast(field.type)
    made = {
        "example_id": lambda n: f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}",
        "database_id": lambda n: database_name(database_of(n)),
        "sql": lambda n: f"SELECT {_FACTS[n % 10]} FROM {_THINGS[n // 10 % 10]}s WHERE title = 'royal harbour {n}'",
        "generated_sql": lambda n: None,
        "feedback_ids": lambda n: [f"{n:036d}"],
        "source": lambda n: "benchmark",
        "cluster_id": lambda n: f"{n:016x}",
    }
    default = _default(field.type)
    text = question_text if numbers[0] < UNRELATED else lambda n: f"unrelated {n}"
    make = made.get(field.name, text if default == "" else lambda n: default)
    return pa.array([make(number) for number in numbers.tolist()], field.type)


def _default(kind: pa.DataType) -> object:
    if pa.types.is_nested(kind):
        return []
    return "" if pa.types.is_string(kind) else 1


def _column(vectors: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION)
