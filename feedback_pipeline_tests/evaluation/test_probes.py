"""Probes: which are chosen, what counts as a drop, and what a file of them may hold."""

import pyarrow as pa
import pytest

from feedback_pipeline.evaluation.intervals import PairedDifference
from feedback_pipeline.evaluation.probes import (
    Probe,
    ProbeFileError,
    RecallChange,
    answerable,
    choose_probes,
    compare,
    read_probes,
)


def rows(groups: dict[tuple[str, str], int]) -> pa.Table:
    """Return examples: so many of each (database, skeleton)."""
    listed = [
        {
            "example_id": f"{database}-{skeleton}-{number}",
            "database_id": database,
            "natural_query": f"question {number} of {skeleton}",
            "sql_skeleton": skeleton,
        }
        for (database, skeleton), count in groups.items()
        for number in range(count)
    ]
    return pa.Table.from_pylist(listed)


def test_one_example_of_each_template_always_stays_to_be_found() -> None:
    probes = choose_probes(rows({("geo", "a"): 3, ("geo", "b"): 2, ("geo", "c"): 1, ("shop", "a"): 1}))

    assert sorted(probe.template for probe in probes) == [("geo", "a"), ("geo", "a"), ("geo", "b")]


def test_templates_take_turns_where_there_are_too_many() -> None:
    groups = {("geo", "large"): 500, **{("geo", f"small {number}"): 2 for number in range(20)}}

    probes = choose_probes(rows(groups), limit=21)

    assert len({probe.sql_skeleton for probe in probes}) == 21


def test_the_same_examples_are_probed_in_the_same_way_whatever_their_order() -> None:
    table = rows({("geo", "a"): 40, ("shop", "b"): 40})
    reversed_table = table.take(list(range(table.num_rows - 1, -1, -1)))

    assert choose_probes(table, 10) == choose_probes(reversed_table, 10)


def test_only_probes_that_both_sides_could_find_something_for_are_asked() -> None:
    probes = [Probe("geo", "?", skeleton) for skeleton in "abc"]

    asked = answerable(probes, {("geo", "a"): 1, ("geo", "b"): 1}, {("geo", "a"): 2, ("geo", "c"): 1})

    assert [probe.sql_skeleton for probe in asked] == ["a"]


def test_a_probe_is_found_where_one_of_the_first_three_is_right() -> None:
    probes = [Probe("geo", "1", "a"), Probe("geo", "2", "b"), Probe("geo", "3", "c")]
    before = {"1": ["x", "y", "a"], "2": ["b"], "3": ["x"]}
    after = {"1": ["a"], "2": ["x", "y", "z"], "3": ["c"]}

    change = compare(
        probes, lambda probe, k: after[probe.natural_query][:k], lambda probe, k: before[probe.natural_query][:k]
    )

    found = change.difference
    assert (found.both, found.only_new, found.only_old, found.neither) == (1, 1, 1, 0)
    assert change.words.startswith("2 of 3 probes find an example of their SQL template among the first 3, 2 in what")


@pytest.mark.parametrize(
    ("both", "gained", "lost", "is_drop"),
    [
        (0, 0, 0, False),  # nothing to ask
        (4, 0, 6, False),  # a large drop of few probes may be chance
        (0, 0, 6, False),
        (0, 0, 7, True),
        (193, 0, 7, False),  # hardly by chance, but smaller than the bound
        (180, 0, 20, True),
        (150, 15, 30, False),  # many change both ways
        (140, 5, 40, True),
        (150, 50, 0, False),
    ],
)
def test_a_drop_must_be_large_and_hardly_by_chance(both: int, gained: int, lost: int, is_drop: bool) -> None:
    assert RecallChange(PairedDifference(both, gained, lost, 0)).is_drop(0.05) is is_drop


def test_any_drop_is_allowed_where_the_bound_is_the_whole() -> None:
    assert not RecallChange(PairedDifference(0, 0, 200, 0)).is_drop(1.0)


def test_probes_are_read_from_json_lines_with_the_skeleton_of_their_sql() -> None:
    text = '{"natural_query": "how many?", "sql": "SELECT 7", "database_id": "geo"}\n\n'

    probes = read_probes(text + text, "probes.jsonl", lambda sql, database_id: f"{database_id}: {sql}")

    assert probes == [Probe("geo", "how many?", "geo: SELECT 7")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no json", "probes.jsonl, line 2: is not JSON"),
        ("[1]", "probes.jsonl, line 2: needs natural_query, sql and database_id"),
        ('{"natural_query": "?", "sql": " ", "database_id": "geo"}', "line 2: needs"),
        ('{"natural_query": 1, "sql": "SELECT 1", "database_id": "geo"}', "line 2: needs"),
    ],
)
def test_a_wrong_line_is_named(line: str, said: str) -> None:
    with pytest.raises(ProbeFileError, match=said):
        read_probes("\n" + line, "probes.jsonl", lambda *_: "")
