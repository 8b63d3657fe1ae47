"""The configs of the reranker's dataset: what each shows of a row."""

from typing import Any

import pyarrow as pa
import pytest

from feedback_pipeline.finetune.content.kind import RERANKER
from feedback_pipeline.finetune.content.prompts import Prompts, read_templates
from feedback_pipeline.finetune.content.reranker_configs import MOST_TRIPLETS, PROVENANCE
from feedback_pipeline_tests.reranker.samples import queries, query

CONFIGS = {config.name: config for config in RERANKER.configs}


def shown(name: str, table: pa.Table) -> list[dict[str, Any]]:
    rendered = CONFIGS[name].render(table, Prompts(read_templates()))
    assert rendered.schema == CONFIGS[name].schema
    return rendered.to_pylist()


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_tells_where_a_row_comes_from(name: str) -> None:
    assert set(PROVENANCE.names) <= set(CONFIGS[name].schema.names)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("triplet", ["anchor", "positive", "negative"]),
        ("labeled_pair", ["query", "passage", "label"]),
        ("listwise", ["query", "passages", "labels"]),
    ],
)
def test_what_is_trained_on_comes_first(name: str, columns: list[str]) -> None:
    assert CONFIGS[name].schema.names[:3] == columns


def test_a_triplet_weighs_and_rests_on_no_more_than_its_passages() -> None:
    row = query(
        1,
        positives=["good", "fair"],
        positive_weights=[2.0, 0.5],
        positive_ranks=[1.0, 2.0],
        positive_interactions=[["7", "10"], ["8"]],
        negatives=["bad"],
        negative_weights=[1.0],
        negative_ranks=[3.0],
        negative_interactions=[["10", "11"]],
        negative_origins=["rated"],
        interaction_ids=["10", "11", "7", "8"],
    )

    triplets = shown("triplet", queries([query(0, 1, 0), row]))

    assert [(one["anchor"], one["positive"], one["negative"]) for one in triplets] == [
        (row["query"], "good", "bad"),
        (row["query"], "fair", "bad"),
    ]
    assert [one["weight"] for one in triplets] == [1.0, 0.5]
    assert [one["interaction_ids"] for one in triplets] == [["10", "11", "7"], ["10", "11", "8"]]
    assert {one["row_id"] for one in triplets} == {row["row_id"]}


def test_rows_of_one_side_have_no_triplets() -> None:
    assert shown("triplet", queries([query(1, 2, 0), query(2, 0, 3), query(3, 0, 0)])) == []


def test_of_many_passages_the_heaviest_triplets_are_taken() -> None:
    triplets = shown("triplet", queries([query(1, 30, 30)]))

    assert len(triplets) == MOST_TRIPLETS
    assert [one["weight"] for one in triplets] == sorted((one["weight"] for one in triplets), reverse=True)
    assert triplets[0]["weight"] == 0.5


def test_among_passages_of_equal_weight_all_appear() -> None:
    count = MOST_TRIPLETS
    row = query(1, count, count, positive_weights=[1.0] * count, negative_weights=[1.0] * count)

    triplets = shown("triplet", queries([row, query(2, 1, 50, negative_weights=[1.0] * 50)]))

    first, second = triplets[:count], triplets[count:]
    assert {one["positive"] for one in first} == set(row["positives"])
    assert {one["negative"] for one in first} == set(row["negatives"])
    assert len({one["negative"] for one in second}) == len(second) == count


def test_pairs_are_labelled_and_rest_on_what_rated_them() -> None:
    pairs = shown("labeled_pair", queries([query(1, 1, 1), query(2, 0, 1)]))

    told = [(one["row_id"], one["label"], one["weight"], one["interaction_ids"]) for one in pairs]
    assert told == [
        (f"{1:016x}", 1.0, 1.0, ["10"]),
        (f"{1:016x}", 0.0, 0.5, ["11"]),
        (f"{2:016x}", 0.0, 0.5, ["21"]),
    ]


def test_lists_have_a_label_and_a_rank_for_each_passage() -> None:
    first, second = shown("listwise", queries([query(1, 1, 2), query(2, 2, 0)]))

    assert first["passages"] == [*query(1, 1, 2)["positives"], *query(1, 1, 2)["negatives"]]
    assert (first["labels"], first["ranks"]) == ([1.0, 0.0, 0.0], [1.0, 2.0, 3.0])
    assert (second["labels"], second["weight"]) == ([1.0, 1.0], 0.0)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_slice_shows_what_its_rows_show_in_the_whole(name: str) -> None:
    table = queries(query(number, number % 4, number % 3) for number in range(12))

    whole = shown(name, table)

    wanted = {f"{number:016x}" for number in range(5, 9)}
    assert shown(name, table.slice(5, 4)) == [one for one in whole if one["row_id"] in wanted]
