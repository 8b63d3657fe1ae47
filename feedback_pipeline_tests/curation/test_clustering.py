"""Which rows may not be torn apart between training and test."""

import random

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.curation.clustering import cluster_ids

LONG = "what is the average price of all products sold in the city of berlin during the last three months"


def clusters(*rows: tuple[str, str, str], across_databases: bool = True) -> list[str]:
    """Return the clusters of rows (database, question, skeleton); ids are a, b, c, …"""
    names = ["database_id", "canonical_question", "sql_skeleton"]
    columns = {name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)}
    ids = pa.array([f"{number:04d}" for number in range(len(rows))], pa.string())
    return cluster_ids(pa.table({"example_id": ids, **columns}), across_databases=across_databases).to_pylist()


def test_rows_that_share_a_skeleton_share_a_cluster():
    assert clusters(("shop", "cost of tea", "S1"), ("shop", "ships", "S2"), ("shop", "rent", "S1")) == [
        "0000",
        "0001",
        "0000",
    ]


def test_near_duplicate_questions_share_a_cluster():
    other = LONG.replace("three", "four")

    assert clusters(("shop", LONG, "S1"), ("shop", other, "S2")) == ["0000", "0000"]


def test_different_questions_with_different_skeletons_stay_apart():
    assert clusters(("shop", LONG, "S1"), ("shop", "who sails the oldest ship", "S2")) == ["0000", "0001"]


def test_one_skeleton_on_two_databases_is_two_clusters():
    assert clusters(("shop", LONG, "S1"), ("bank", "who sails the oldest ship", "S1")) == ["0000", "0001"]


def test_a_question_asked_of_two_databases_is_one_cluster():
    other = LONG.replace("three", "four")

    assert clusters(("shop", LONG, "S1"), ("bank", LONG, "S2"), ("club", other, "S3")) == ["0000"] * 3


def test_likeness_can_be_kept_to_one_database_but_for_equal_questions():
    other = LONG.replace("three", "four")
    rows = (("shop", LONG, "S1"), ("bank", LONG, "S2"), ("club", other, "S3"), ("shop", other, "S4"))

    assert clusters(*rows[:3], across_databases=False) == ["0000", "0000", "0002"]
    assert clusters(*rows, across_databases=False) == ["0000"] * 4


def test_likeness_is_passed_on():
    middle = LONG.replace("three", "four")

    assert clusters(("shop", LONG, "S1"), ("shop", middle, "S2"), ("shop", "ships", "S2")) == ["0000"] * 3


def test_questions_without_words_are_no_obstacle():
    found = clusters(("shop", "?", "S1"), ("shop", "", "S2"), ("shop", "日本語", "S3"), ("bank", "?", "S1"))

    assert found == ["0000", "0001", "0002", "0000"]


def test_no_rows_have_no_clusters():
    assert clusters() == []


def test_a_cluster_is_named_after_its_first_member_and_found_again_every_time():
    chooser = random.Random(1)
    words = [f"word{number}" for number in range(400)]
    rows = [
        (chooser.choice(["shop", "bank"]), " ".join(chooser.sample(words, 8)), f"S{chooser.randrange(300)}")
        for _ in range(600)
    ]

    found = clusters(*rows)

    assert found == clusters(*rows)
    first: dict[str, str] = {}
    for number, cluster in enumerate(found):
        assert first.setdefault(cluster, f"{number:04d}") == cluster
    same = {(row[0], row[2]): set() for row in rows}
    for row, cluster in zip(rows, found, strict=True):
        same[row[0], row[2]].add(cluster)
    assert all(len(group) == 1 for group in same.values())


def test_rows_alike_neither_to_the_first_of_their_kind_share_a_cluster():
    hub = "a b c d e f g h i j k l"
    far, near, nearer = hub.replace("a b c", "x y z"), hub.replace("a b", "p q"), hub.replace("a b", "p r")

    assert clusters(("shop", far, "S1"), ("shop", near, "S2"), ("shop", nearer, "S3")) == ["0000", "0001", "0001"]


@given(seed=st.integers(0, 10**6))
def test_the_order_of_rows_does_not_change_who_is_together(seed):
    chance = random.Random(seed)
    words = [f"word{number}" for number in range(12)]
    rows = [
        (
            chance.choice(["shop", "bank"]),
            " ".join(chance.sample(words, chance.randint(0, 9))),
            f"S{chance.randrange(60)}",
        )
        for _ in range(80)
    ]
    order = chance.sample(range(80), 80)

    found, other = clusters(*rows), clusters(*(rows[row] for row in order))

    assert len(set(zip((found[row] for row in order), other, strict=True))) == len(set(found)) == len(set(other))


def test_databases_stay_apart_however_many_there_are():
    rows = [(f"db{number % 200}", f"question {number}", f"S{number // 200}") for number in range(4_000)]

    found = clusters(*rows)

    assert len(set(found)) == 4_000
