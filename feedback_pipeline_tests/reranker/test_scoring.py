"""Model folders, BM25 and the sum of parts: what needs no ONNX Runtime."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.reranker.scoring import (
    BlendScorer,
    Bm25,
    Bm25Statistics,
    ModelFolder,
    ModelFolderError,
    PartSpec,
    open_scorer,
)
from feedback_pipeline.reranker.scoring.folder import require_servable
from feedback_pipeline.reranker.scoring.sharing import Sharing

PASSAGES = ["a refund takes five days", "opening hours of the shop", "a shop takes a refund", ""]


class Counting:
    """A part that gives each pair a number and knows what it was asked."""

    def __init__(self, scores: dict[str, float]):
        self.scores, self.asked = scores, []

    def pair_scores(self, pairs):
        self.asked.append(list(pairs))
        return np.array([self.scores[passage] for _, passage in pairs], np.float32)


def test_a_model_folder_is_read_as_it_was_written(tmp_path: Path):
    model = ModelFolder("blend", (PartSpec("bm25", "bm25", 1.5, 2.0, -0.25), PartSpec("cross_encoder", "ce")), 192)

    model.write(tmp_path)

    assert ModelFolder.read(tmp_path) == model


def test_a_part_looks_at_fewer_tokens_than_the_model_where_it_says_so(tmp_path: Path):
    model = ModelFolder("blend", (PartSpec("length", "length", max_tokens=10),), 20)
    model.write(tmp_path)

    short, read, beyond = open_scorer(tmp_path).score("q", ["x" * 39, "x" * 40, "x" * 80])

    assert ModelFolder.read(tmp_path) == model
    assert short < read == beyond


def test_a_part_without_a_limit_of_its_own_has_that_of_the_model(tmp_path: Path):
    part = {"kind": "length", "folder": "length", "mean": 0.0, "scale": 1.0, "coefficient": 1.0}
    (tmp_path / "model.json").write_text(json.dumps({"format": 1, "name": "x", "parts": [part], "max_tokens": 20}))

    short, read, beyond = open_scorer(tmp_path).score("q", ["x" * 79, "x" * 80, "x" * 81])

    assert short < read == beyond
    assert ModelFolder.read(tmp_path).to_json()["parts"] == [part]


def test_a_part_cannot_look_at_more_than_the_model(tmp_path: Path):
    ModelFolder("x", (PartSpec("length", "length", max_tokens=30),), 10).write(tmp_path)

    read, beyond = open_scorer(tmp_path).score("q", ["x" * 40, "x" * 120])

    assert read == beyond


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "model.json cannot be used"),
        ("[]", "model.json cannot be used"),
        ('{"format": 2, "name": "x", "parts": []}', "install a later feedback-pipeline"),
        ('{"format": 1, "name": "x", "parts": []}', "has no parts"),
        ('{"format": 1, "name": "x", "parts": [{"kind": "magic", "folder": "m"}]}', "'magic' is unknown"),
        ('{"format": 1, "name": "x", "parts": [{"kind": "bm25", "folder": "../m"}]}', "below the model folder"),
        ('{"format": 1, "name": "x", "parts": [{"kind": "bm25", "folder": "m", "scale": 0}]}', "scale above 0"),
        ('{"format": 1, "name": "x", "parts": [{"kind": "bm25", "folder": "m", "mean": NaN}]}', "must be finite"),
        (
            '{"format": 1, "name": "x", "parts": [{"kind": "bm25", "folder": "m", "max_tokens": 0}]}',
            "at least 1, not 0",
        ),
    ],
)
def test_a_model_folder_that_cannot_be_used_is_named(tmp_path: Path, content: str, said: str):
    (tmp_path / "model.json").write_text(content)

    with pytest.raises(ModelFolderError, match=said) as refused:
        ModelFolder.read(tmp_path)

    assert str(tmp_path) in str(refused.value)


def test_a_folder_without_a_model_is_named(tmp_path: Path):
    with pytest.raises(ModelFolderError, match=r"is no model folder .*No such file"):
        open_scorer(tmp_path)


@pytest.mark.parametrize(("kind", "missing"), [("bm25", "bm25.json"), ("cross_encoder", "model.onnx, tokenizer.json")])
def test_a_model_that_lacks_a_file_cannot_be_served(tmp_path: Path, kind, missing: str):
    ModelFolder("x", (PartSpec(kind, "part"),)).write(tmp_path)

    with pytest.raises(ModelFolderError, match=rf"{missing}.* not found in .*part"):
        require_servable(tmp_path)


def test_bm25_has_the_scores_of_the_formula():
    statistics = Bm25Statistics.from_passages(PASSAGES)

    scores = Bm25(statistics).pair_scores([("Refund, refund?", passage) for passage in PASSAGES])

    idf = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))
    average = 15 / 4
    expected = [2 * idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 5 / average)) if "refund" in p else 0.0 for p in PASSAGES]
    assert statistics.as_dict()["document_frequency"]["refund"] == 2
    assert (statistics.documents, statistics.average_length) == (4, average)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_a_word_that_no_passage_had_weighs_most():
    statistics = Bm25Statistics.from_passages(PASSAGES)

    assert statistics.idf("unheard") > statistics.idf("hours") > statistics.idf("a") > 0


def test_bm25_of_no_passages_scores_all_the_same():
    scores = Bm25(Bm25Statistics.from_passages([])).pair_scores([("a refund", "a refund"), ("", "")])

    assert np.isfinite(scores).all()
    assert scores[1] == 0


@given(query=st.text(), passages=st.lists(st.text(), max_size=4), known=st.lists(st.text(), max_size=4))
def test_bm25_takes_any_text(query: str, passages: list[str], known: list[str]):
    scores = Bm25(Bm25Statistics.from_passages(known)).pair_scores([(query, passage) for passage in passages])

    assert scores.shape == (len(passages),)
    assert (scores >= 0).all()
    assert np.isfinite(scores).all()


def test_statistics_are_read_as_they_were_written_and_are_the_same_bytes_each_time(tmp_path: Path):
    statistics = Bm25Statistics.from_passages(PASSAGES)
    statistics.write(tmp_path / "one")
    Bm25Statistics.from_passages(reversed(PASSAGES)).write(tmp_path / "two")

    assert Bm25Statistics.read(tmp_path / "one") == statistics
    assert (tmp_path / "one" / "bm25.json").read_bytes() == (tmp_path / "two" / "bm25.json").read_bytes()


def test_damaged_statistics_are_named(tmp_path: Path):
    (tmp_path / "bm25.json").write_text(json.dumps({"documents": 3}))

    with pytest.raises(ModelFolderError, match=r"bm25.json cannot be used: KeyError"):
        Bm25Statistics.read(tmp_path)


def test_a_blend_adds_up_standardised_parts():
    parts = [
        (PartSpec("bm25", "a", mean=1.0, scale=2.0, coefficient=3.0), Counting({"x": 5.0, "y": 1.0})),
        (PartSpec("bi_encoder", "b", coefficient=-1.0), Counting({"x": 0.5, "y": 0.25})),
    ]

    scores = BlendScorer(parts).score("q", ["x", "y"])

    assert scores.dtype == np.float32
    assert scores.tolist() == [5.5, -0.25]


def test_a_part_that_counts_nothing_is_not_asked():
    idle = Counting({})

    BlendScorer([(PartSpec("bm25", "a"), Counting({"x": 1.0})), (PartSpec("bm25", "b", coefficient=0.0), idle)]).score(
        "q", ["x"]
    )

    assert idle.asked == []


def test_queries_share_batches_and_equal_passages_are_scored_once():
    part = Counting({"x": 1.0, "y": 2.0})

    scores = BlendScorer([(PartSpec("bm25", "a"), part)]).score_batch(["q", "r", "q"], [["x", "y", "x"], [], ["y"]])

    assert [found.tolist() for found in scores] == [[1.0, 2.0, 1.0], [], [2.0]]
    assert part.asked == [[("q", "x"), ("q", "y")]]


def test_nothing_to_score_is_no_error():
    scorer = BlendScorer([(PartSpec("bm25", "a"), Counting({}))])

    assert scorer.score("q", []).shape == (0,)
    assert scorer.score_batch([], []) == []


def test_what_is_no_text_is_refused():
    with pytest.raises(TypeError, match="must be text, not NoneType"):
        BlendScorer([(PartSpec("bm25", "a"), Counting({}))]).score("q", [None])  # pyright: ignore[reportArgumentType]


def test_shared_work_comes_back_in_order_and_errors_come_through():
    sharing = Sharing()

    assert sharing.map(lambda number: number**2, range(50)) == [number**2 for number in range(50)]
    assert sharing.map(str, []) == []
    with pytest.raises(ZeroDivisionError):
        sharing.map(lambda number: 1 // number, [3, 2, 1, 0])
    assert sharing.map(str, [1]) == ["1"]
