"""Examples taken out at once, and removed for good from every version and file."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pytest

from feedback_pipeline.example_index.catalog import IndexCatalog, UnknownPublicationError
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline.example_index.removal import holdings, remove_for_good, take_out
from feedback_pipeline.retrieval import Retriever
from feedback_pipeline_tests.encoders import HashEncoder, TinyEncoder
from feedback_pipeline_tests.example_index.samples import embedded, questions
from feedback_pipeline_tests.store.running import ROOT

ENCODER = HashEncoder()
SECRET = "zanzibar-4711"
HERS = {f"f-{SECRET}"}


@pytest.fixture
def catalog(tmp_path: Path) -> IndexCatalog:
    return IndexCatalog(str(tmp_path))


def put(catalog: IndexCatalog, *texts: str, count: int = 5) -> None:
    publish(catalog, embedded(ENCODER, *questions(count), *(("shop", text) for text in texts)), ENCODER.fingerprint)


def texts(catalog: IndexCatalog) -> set[str]:
    live = catalog.live()
    assert live is not None
    return set(catalog.open_publication(live).search().limit(None).to_arrow()["natural_query"].to_pylist())


def files_with(root: str, needle: str) -> list[str]:
    return [str(path) for path in Path(root).rglob("*") if path.is_file() and needle.encode() in path.read_bytes()]


def versions(items: Iterable[object]) -> list[int]:
    return [getattr(item, "publication", item).version for item in items]  # pyright: ignore[reportAttributeAccessIssue]


def test_taking_out_publishes_the_others_at_once(catalog: IndexCatalog):
    put(catalog, SECRET, "tea")

    result = take_out(catalog, HERS)

    assert result is not None
    assert (result.publication.version, result.publication.rows, result.removed) == (2, 6, 1)
    assert texts(catalog) == {"tea", *(f"question {n}" for n in range(5))}


def test_taking_out_nothing_publishes_nothing(catalog: IndexCatalog):
    assert take_out(catalog, HERS) is None
    put(catalog, "tea")

    assert take_out(catalog, HERS) is None
    assert versions(catalog.publications()) == [1]


def test_taking_out_needs_no_torch(catalog: IndexCatalog):
    put(catalog, SECRET)
    code = f"""
import sys
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.removal import take_out
take_out(IndexCatalog({catalog.root!r}), {HERS!r})
print(sorted({{"torch", "dagster", "sentence_transformers", "daft"}} & set(sys.modules)))
"""

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
    assert SECRET not in texts(catalog)


def test_a_retriever_that_is_open_follows(tmp_path: Path):
    encoder, catalog = TinyEncoder(str(tmp_path)), IndexCatalog(str(tmp_path))
    publish(catalog, embedded(encoder, *questions(3), ("shop", "tea")), encoder.fingerprint)
    retriever = Retriever(str(tmp_path), refresh_seconds=0)
    assert retriever.similar("tea", database_id="shop", k=1, min_score=-1)[0].natural_query == "tea"

    remove_for_good(catalog, {"f-tea"}, "erasure")

    assert {example.natural_query for example in retriever.similar("tea", database_id="shop", k=9, min_score=-1)} == {
        f"question {n}" for n in range(3)
    }


def test_removing_for_good_leaves_it_in_no_version_and_no_file(catalog: IndexCatalog):
    put(catalog, "tea")
    put(catalog, "tea", SECRET)
    put(catalog, "tea", SECRET, count=7)
    put(catalog, "tea", count=7)
    assert holdings(catalog, HERS).publications == [2, 3]
    assert files_with(catalog.root, SECRET)

    removal = remove_for_good(catalog, HERS, "erasure")

    assert (removal.removed, removal.kept) == ([2, 3], [1, 4])
    assert files_with(f"{catalog.root}/index", SECRET) == []
    assert holdings(catalog, HERS).versions == []
    assert texts(catalog) == {"tea", *(f"question {n}" for n in range(7))}
    assert remove_for_good(catalog, HERS, "erasure").removed == []


def test_publications_that_stay_can_be_rolled_back_to(catalog: IndexCatalog):
    put(catalog, "tea")
    put(catalog, "tea", SECRET)
    remove_for_good(catalog, HERS, "erasure")
    live = catalog.live()
    assert live is not None
    assert live.version == 3

    catalog.rollback(1)

    assert texts(catalog) == {"tea", *(f"question {n}" for n in range(5))}
    with pytest.raises(UnknownPublicationError, match=r"version 2 was removed for good \(erasure\).*versions: 1, 3"):
        catalog.rollback(2)
    assert versions(catalog.revoked()) == [2]


def test_a_number_that_was_revoked_is_not_given_again(catalog: IndexCatalog):
    put(catalog, "tea")
    put(catalog, "tea", SECRET)
    catalog.rollback(1)

    remove_for_good(catalog, HERS, "erasure")
    put(catalog, "coffee")

    assert versions(catalog.publications()) == [1, 3]
    assert files_with(f"{catalog.root}/index", SECRET) == []


def test_what_was_never_made_live_is_removed_too(catalog: IndexCatalog):
    put(catalog, SECRET)
    table = catalog.open_table()
    table.tags.delete("live")

    remove_for_good(catalog, HERS, "erasure")

    assert files_with(f"{catalog.root}/index", SECRET) == []
    put(catalog, "tea")
    assert "tea" in texts(catalog)


def test_an_index_without_any_example_left_is_empty_and_live(catalog: IndexCatalog):
    publish(catalog, embedded(ENCODER, ("shop", SECRET)), ENCODER.fingerprint)

    remove_for_good(catalog, HERS, "erasure")

    assert texts(catalog) == set()
    assert files_with(f"{catalog.root}/index", SECRET) == []


def test_rows_of_an_earlier_release_with_other_types_are_taken_out_as_well(catalog: IndexCatalog):
    put(catalog, SECRET, "tea")
    live = catalog.live()
    assert live is not None
    rows = catalog.open_table().search().limit(None).to_arrow()
    weight = rows.schema.get_field_index("weight")
    old = rows.set_column(weight, "weight", rows["weight"].cast(pa.int32()))
    table = catalog.connect().create_table("examples", data=old, mode="overwrite")
    catalog.note(type(live)(2, table.version, old.num_rows, "old", live.model_fingerprint, live.dimension))
    table.tags.create("v2", table.version)
    catalog.make_live(table, table.version)

    result = take_out(catalog, HERS)

    assert result is not None
    assert result.publication.version == 3
    assert "tea" in texts(catalog)
    assert SECRET not in texts(catalog)


KILLED = """
import os, signal, sys
from feedback_pipeline.example_index import removal
from feedback_pipeline.example_index.catalog import IndexCatalog
root, moment = sys.argv[1], int(sys.argv[2])
steps = iter(range(100))
def dying(function):
    def call(*a, **k):
        if next(steps) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*a, **k)
    return call
for name in ("publish_without", "move", "_renew_live", "_revoke", "_clean_up"):
    setattr(removal, name, dying(getattr(removal, name)))
removal.remove_for_good(IndexCatalog(root), {"f-zanzibar-4711"}, "erasure")
"""


def test_killed_at_any_step_the_next_call_finishes(catalog: IndexCatalog):
    put(catalog, "tea")
    put(catalog, "tea", SECRET)
    moment = 0
    while True:
        done = subprocess.run(
            [sys.executable, "-c", KILLED, catalog.root, str(moment)], cwd=ROOT, capture_output=True, text=True
        )
        assert catalog.live() is not None
        assert "tea" in texts(catalog)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        moment += 1

    assert moment >= 4
    assert files_with(f"{catalog.root}/index", SECRET) == []
    assert versions(catalog.publications()) == [1, 3]
    assert versions(catalog.revoked()) == [2]
