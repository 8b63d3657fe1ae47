"""Both sides of a publication asked the same probes: real indexes, vectors that say what they are of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feedback_pipeline.evaluation import publication
from feedback_pipeline.evaluation.probes import Probe, RecallChange
from feedback_pipeline.evaluation.publication import recall_change
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline_tests.example_index.samples import Example, embedded

TEMPLATES = 40
DIMENSION = 64
WORDS = [f"topic {one}{other}" for one in "ab" for other in "abcdefghijklmnopqrst"]
"""Without numbers, which would be masked."""


class Topics:
    """Embeds "topic ab, one" beside other wordings of topic ab; "odd" wordings beside nothing."""

    dimension = DIMENSION

    def __init__(self, *, spoilt: bool = False):
        self.fingerprint = "spoilt" if spoilt else "good"
        self._spoilt = spoilt

    def encode(self, texts: list[str]) -> np.ndarray:
        vectors = np.stack([self._vector(text) for text in texts])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def _vector(self, text: str) -> np.ndarray:
        own = np.random.default_rng(list(text.encode())).standard_normal(DIMENSION)
        if self._spoilt or "odd" in text:
            return own
        return 0.2 * own + 4 * np.eye(DIMENSION)[WORDS.index(text.split(",")[0])]


def wordings(*names: str, database: str = "shop", templates: int = TEMPLATES) -> list[Example]:
    return [(database, f"{WORDS[topic]}, {name}", f"SELECT {topic}") for topic in range(templates) for name in names]


@pytest.fixture
def catalog(tmp_path: Path) -> IndexCatalog:
    return IndexCatalog(str(tmp_path))


def change(
    catalog: IndexCatalog,
    candidate: list[Example],
    encoder: Topics,
    still_wanted: Callable[[pa.Table], pa.Table] = lambda rows: rows,
    further: tuple[Probe, ...] = (),
) -> RecallChange | None:
    live = catalog.live()
    assert live is not None
    return recall_change(
        embedded(encoder, *candidate),
        encoder.encode,
        catalog,
        live,
        Topics().encode,
        samples={},
        still_wanted=still_wanted,
        skeleton_of=lambda sql, _: sql,
        further=further,
    )


def without(words: str) -> Callable[[pa.Table], pa.Table]:
    return lambda rows: rows.filter(pa.array([words not in text for text in rows["natural_query"].to_pylist()]))


def go_live(catalog: IndexCatalog, examples: list[Example]) -> None:
    publish(catalog, embedded(Topics(), *examples), "good")


def test_where_nothing_would_be_published_nothing_is_asked(catalog: IndexCatalog) -> None:
    go_live(catalog, wordings("one", "two"))

    assert change(catalog, wordings("two", "one"), Topics()) is None


def test_new_examples_of_known_and_new_templates_are_no_drop(catalog: IndexCatalog) -> None:
    go_live(catalog, wordings("one", "two", templates=30))

    found = change(catalog, wordings("one", "two", "three"), Topics())

    assert found is not None
    assert found.difference.both == found.difference.n == 30


def test_vectors_that_find_less_are_a_drop(catalog: IndexCatalog) -> None:
    go_live(catalog, wordings("one", "two", "three"))

    found = change(catalog, wordings("one", "two", "three", "four"), Topics(spoilt=True))

    assert found is not None
    assert found.is_drop(0.05)
    assert found.difference.only_old > 60


def test_only_databases_that_differ_are_asked(catalog: IndexCatalog) -> None:
    go_live(catalog, wordings("one", "two") + wordings("one", "two", database="music"))

    found = change(catalog, wordings("one", "two") + wordings("one", "two", "three", database="music"), Topics())

    assert found is not None
    assert found.difference.n == TEMPLATES


def test_a_template_with_one_example_is_not_asked_about(catalog: IndexCatalog) -> None:
    go_live(catalog, wordings("one"))

    found = change(catalog, wordings("one", "two"), Topics())

    assert found is not None
    assert found.difference.n == 0
    assert not found.is_drop(0)


def test_what_was_taken_back_is_not_missed_although_less_is_found_without_it(catalog: IndexCatalog) -> None:
    kept = wordings("good", "odd")
    go_live(catalog, kept + wordings("taken back", "taken back too"))

    missed = change(catalog, kept, Topics())
    found = change(catalog, kept, Topics(), still_wanted=without("taken back"))

    assert missed is not None
    assert missed.is_drop(0.05)
    assert found is not None
    assert found.difference.only_old == 0


def test_further_probes_are_asked_of_the_templates_that_are_there(catalog: IndexCatalog) -> None:
    go_live(catalog, wordings("one"))
    further = (Probe("shop", f"{WORDS[3]}, asked", "SELECT 3"), Probe("shop", f"{WORDS[3]}, asked", "SELECT 99"))

    found = change(catalog, wordings("one", "two"), Topics(), further=further)

    assert found is not None
    assert (found.difference.n, found.difference.both) == (1, 1)


def test_of_very_many_examples_a_part_is_searched_the_same_on_both_sides(
    catalog: IndexCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "MOST_ROWS", 100)
    names = [f"wording {number}" for number in range(10)]
    go_live(catalog, wordings(*names))

    found = change(catalog, wordings(*names, "new"), Topics())

    assert found is not None
    assert 30 < found.difference.n < 100
    assert found.difference.both == found.difference.n


def test_an_index_of_an_earlier_release_is_compared_by_its_words(catalog: IndexCatalog) -> None:
    examples = wordings("one", "two")
    go_live(catalog, examples)
    table = catalog.open_table()
    table.drop_columns(["masked_query", "masked_vector", "values", "sql_skeleton"])
    catalog.make_live(table, table.version)
    catalog.note(replace(catalog.publications()[0], table_version=table.version, values_digest=None))

    found = change(catalog, examples, Topics())

    # The digests of rows are the same: only another example makes a difference.
    assert found is None
    grown = change(catalog, [*examples, ("shop", f"{WORDS[1]}, new", "SELECT 1")], Topics())
    assert grown is not None
    assert grown.difference.both == grown.difference.n == TEMPLATES
