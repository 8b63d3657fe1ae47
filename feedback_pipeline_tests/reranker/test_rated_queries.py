"""Rows of a release become objects in Python: no more of them than are trained on."""

import tracemalloc
from collections.abc import Iterator

import pyarrow as pa
import pytest

from feedback_pipeline.reranker.rated_queries import rated_queries, rated_queries_of
from feedback_pipeline_tests.reranker.samples import queries, query

WEIGHTS = [0.5, 0.25, 0.5, 1.0, 0.0, 0.25, 0.5, 0.25]


def weighed() -> list[dict]:
    """Rows of several weights, of which some are equal, in no order."""
    rows = [query(number, weight=weight) for number, weight in enumerate(WEIGHTS)]
    return [rows[place] for place in (5, 0, 7, 2, 4, 6, 1, 3)]


@pytest.mark.parametrize("most", [None, 0, 1, 3, 5, 7, 8, 100])
def test_the_heaviest_are_taken_and_of_equal_ones_the_first(most: int | None) -> None:
    ranked = sorted(range(len(WEIGHTS)), key=lambda number: (-WEIGHTS[number], f"{number:016x}"))

    found = rated_queries(queries(weighed()), most)

    assert [one.row_id for one in found] == sorted(f"{number:016x}" for number in ranked[:most])


@pytest.mark.parametrize("most", [None, 1, 4, 8])
def test_rows_in_several_files_give_the_same_as_in_one(most: int | None) -> None:
    rows = weighed()
    files = (queries(rows[start : start + 3]) for start in range(0, len(rows), 3))

    assert rated_queries_of(files, most) == rated_queries(queries(rows), most)


def test_a_split_without_files_has_no_queries() -> None:
    assert rated_queries_of([], 5) == []


def test_a_query_has_what_its_row_has() -> None:
    (one,) = rated_queries(queries([query(7, 2, 2)]))

    assert (one.row_id, one.source, len(one.positives)) == (f"{7:016x}", "source 1", 2)
    assert one.negative_weights == (0.5, 0.25)
    assert one.negative_origins == ("rated", "surfaced")


def test_what_is_not_chosen_becomes_no_object() -> None:
    rows = queries([query(number, [f"{number} " * 500], weight=number / 5_000) for number in range(5_000)])

    tracemalloc.start()
    found = rated_queries(rows, 10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(found) == 10
    # All the passages are 12 MB of characters alone.
    assert peak < 1_000_000


def test_files_that_were_read_are_not_held() -> None:
    def files() -> Iterator[pa.Table]:
        for file in range(12):
            held.append(pa.total_allocated_bytes() - before)
            yield queries([query(number, ["x" * 50_000]) for number in range(20 * file, 20 * file + 20)])

    before, held = pa.total_allocated_bytes(), []

    found = rated_queries_of(files(), 5)

    assert len(found) == 5
    # A file is 1 MB: the one before it may still be there, others are not.
    assert max(held) < 4_000_000
