"""Nothing of a split may be known from another one."""

import json
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.curation.clustering import cluster_ids
from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.finetune.publishing.leakage import measure_leakage

LONG = "What is the average price of all products sold in the city of Berlin during the last three months?"


def table(*rows: tuple[str, str, str]) -> pa.Table:
    """Return rows (database, question, skeleton); ids are 0, 1, 2, …"""
    names = ("database_id", "natural_query", "sql_skeleton")
    columns = {name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)}
    return pa.table({"row_id": pa.array([str(number) for number in range(len(rows))], pa.string()), **columns})


def test_one_question_in_two_splits_is_an_exact_leak_also_between_databases():
    rows = table(("shop", "How many ships?", "S1"), ("bank", "how many  ships", "S2"), ("shop", "rent", "S3"))

    leakage = measure_leakage(rows, pa.array(["train", "test", "test"]))

    assert (leakage.exact, leakage.near, leakage.skeleton, leakage.is_zero) == (2, 2, 0, False)
    pair = leakage.pairs["exact"][0]
    assert (pair.row_id, pair.split, pair.other_row_id, pair.other_split) == ("0", "train", "1", "test")


def test_a_question_reworded_a_little_in_another_split_is_a_near_leak():
    rows = table(("shop", LONG, "S1"), ("bank", LONG.replace("three", "four"), "S2"), ("shop", "Rent?", "S3"))

    leakage = measure_leakage(rows, pa.array(["validation", "test", "train"]))

    assert (leakage.exact, leakage.near, leakage.skeleton) == (0, 2, 0)
    assert [(pair.row_id, pair.other_row_id) for pair in leakage.pairs["near"]] == [("0", "1")]


def test_near_leaks_between_databases_can_be_left_out():
    rows = table(("shop", LONG, "S1"), ("bank", LONG.replace("three", "four"), "S2"))

    assert measure_leakage(rows, pa.array(["train", "test"]), across_databases=False).is_zero


def test_a_skeleton_in_two_splits_is_a_leak_on_one_database_only():
    rows = table(("shop", "Ships?", "S1"), ("shop", "Boats, please", "S1"), ("bank", "Rent?", "S1"))

    assert measure_leakage(rows, np.array(["train", "test", "train"])).skeleton == 2
    assert measure_leakage(rows, np.array(["train", "train", "test"])).is_zero


def test_alike_rows_in_one_split_are_no_leak():
    rows = table(("shop", LONG, "S1"), ("shop", LONG, "S1"), ("shop", "Rent?", "S2"))

    assert measure_leakage(rows, pa.array(["test", "test", "train"])).is_zero


def test_at_most_five_pairs_of_a_kind_are_named_and_all_rows_counted():
    rows = table(*(("shop", f"Question {number // 2}", f"S{number}") for number in range(40)))

    leakage = measure_leakage(rows, np.arange(40) % 2)

    assert leakage.exact == leakage.near == 40
    assert [pair.row_id for pair in leakage.pairs["exact"]] == ["0", "2", "4", "6", "8"]
    assert json.loads(json.dumps(leakage.as_dict()))["pairs"]["exact"][0]["other_row_id"] == "1"


def test_no_rows_leak_nothing():
    assert measure_leakage(table(), pa.array([], pa.string())).is_zero


def test_a_split_too_few_is_refused():
    with pytest.raises(ValueError, match="1 rows have 0 splits"):
        measure_leakage(table(("shop", "Rent?", "S1")), pa.array([], pa.string()))


@given(seed=st.integers(0, 10**6))
def test_rows_placed_by_cluster_never_leak_and_other_ways_to_place_them_are_found_out(seed):
    chance = random.Random(seed)
    words = [f"word{number}" for number in range(12)]
    rows = table(
        *(
            (
                chance.choice(["shop", "bank"]),
                " ".join(chance.sample(words, chance.randint(1, 9))),
                f"S{chance.randrange(60)}",
            )
            for _ in range(80)
        )
    )
    canonical = pa.array(map(canonical_question, rows["natural_query"].to_pylist()))
    clusters = cluster_ids(rows.rename_columns({"row_id": "example_id"}).append_column("canonical_question", canonical))
    place = {cluster: chance.choice(["train", "validation", "test"]) for cluster in sorted(set(clusters.to_pylist()))}
    splits = [place[cluster] for cluster in clusters.to_pylist()]
    member = clusters.to_pylist().index(max(place, key=clusters.to_pylist().count))
    torn = ["elsewhere" if row == member else split for row, split in enumerate(splits)]

    assert measure_leakage(rows, pa.array(splits)).is_zero
    assert measure_leakage(rows, pa.array(torn)).is_zero == (clusters.to_pylist().count(clusters[member].as_py()) == 1)
