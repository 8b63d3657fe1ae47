"""Masking a whole table of examples: what is learned, what is kept from the last time."""

import pyarrow as pa

from feedback_pipeline.masking.examples import Earlier, MaskingResult, literals_of, mask_examples
from feedback_pipeline.schemas import EXAMPLES

SQLITE = ("sqlite", None)


def rows(*examples: tuple[str, str, str]) -> pa.Table:
    """Return (database, question, SQL) as schemas.EXAMPLES."""
    constant = {"canonical_question": "q", "canonical_sql": "s", "sql_skeleton": "s", "weight": 1.0}
    constant |= {"feedback_ids": ["f"], "source": "manual", "cluster_id": "c"}
    return pa.Table.from_pylist(
        [
            {"example_id": f"{database}-{question}", "database_id": database, "natural_query": question, "sql": sql}
            | constant
            for database, question, sql in examples
        ],
        EXAMPLES,
    )


def masked(table: pa.Table, earlier: MaskingResult | None = None, **samples: list[tuple[str, str]]) -> MaskingResult:
    known = Earlier(earlier.table, earlier.keys) if earlier else None
    return mask_examples(table, lambda _: SQLITE, samples, known)


SHOP = ("shop", "orders from Berlin", "SELECT id FROM orders WHERE city = 'Berlin'")
MORE = ("shop", "orders from Bonn and Berlin", "SELECT id FROM orders WHERE city IN ('Bonn', 'Berlin')")
ZOO = ("zoo", "animals from Berlin", "SELECT id FROM animal")


def test_values_are_those_of_the_same_database_only():
    found = masked(rows(SHOP, ZOO))

    assert found.table["masked_query"].to_pylist() == ["orders from [city]", "animals from Berlin"]
    assert [[value.text for value in row] for row in literals_of(found.table["values"])] == [["Berlin"], []]


def test_a_database_that_has_not_changed_is_not_masked_again():
    first = masked(rows(SHOP, ZOO))

    again, more = masked(rows(ZOO, SHOP), first), masked(rows(SHOP, ZOO, MORE), first)

    assert (again.masked_now, more.masked_now) == (0, 2)
    assert again.table["masked_query"].to_pylist() == ["animals from Berlin", "orders from [city]"]
    assert more.table["masked_query"].to_pylist()[2] == "orders from [city] and [city]"


def test_another_sample_masks_again():
    first = masked(rows(ZOO))

    assert masked(rows(ZOO), first, zoo=[("Berlin", "animal.home")]).masked_now == 1


def test_nothing_to_mask_is_an_empty_table():
    assert masked(rows()).table.num_rows == 0
