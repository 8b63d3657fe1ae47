"""Old publications go, with their files; the live one never does."""

import subprocess
import sys
from pathlib import Path

import pytest

from feedback_pipeline.example_index.catalog import IndexCatalog, UnknownPublicationError
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline.example_index.retention import prune
from feedback_pipeline_tests.encoders import HashEncoder
from feedback_pipeline_tests.example_index.samples import embedded, questions
from feedback_pipeline_tests.store.running import ROOT

ENCODER = HashEncoder()


@pytest.fixture
def catalog(tmp_path: Path) -> IndexCatalog:
    return IndexCatalog(str(tmp_path))


def put(catalog: IndexCatalog, text: str, keep: int = 2, count: int = 5) -> None:
    examples = embedded(ENCODER, *questions(count), ("shop", text))
    publish(catalog, examples, ENCODER.fingerprint, keep_publications=keep)


def kept(catalog: IndexCatalog) -> list[int]:
    return [publication.version for publication in catalog.publications()]


def texts(catalog: IndexCatalog) -> set[str]:
    live = catalog.live()
    assert live is not None
    return set(catalog.open_publication(live).search().limit(None).to_arrow()["natural_query"].to_pylist())


def files_with(root: str, needle: str) -> list[str]:
    return [str(path) for path in Path(root).rglob("*") if path.is_file() and needle.encode() in path.read_bytes()]


def notes(catalog: IndexCatalog) -> int:
    return len(list(Path(catalog.root, "index", "publications").glob("*.json")))


def test_the_newest_stay_and_the_files_of_the_others_are_gone(catalog: IndexCatalog):
    for number in range(1, 6):
        put(catalog, f"only-in-{number}")

    assert kept(catalog) == [4, 5]
    assert notes(catalog) == 2
    assert len(list(Path(catalog.root, "index", "databases").glob("*.json"))) == 2
    for number in (1, 2, 3):
        assert files_with(f"{catalog.root}/index", f"only-in-{number}") == []
    assert files_with(f"{catalog.root}/index", "only-in-4")


def test_what_stays_can_be_rolled_back_to(catalog: IndexCatalog):
    for number in range(1, 5):
        put(catalog, f"only-in-{number}")

    catalog.rollback(3)

    assert "only-in-3" in texts(catalog)
    with pytest.raises(UnknownPublicationError, match="no index version 2; published versions: 3, 4"):
        catalog.rollback(2)


def test_the_live_publication_stays_however_old_and_numbers_go_on(catalog: IndexCatalog):
    for number in range(1, 4):
        put(catalog, f"only-in-{number}", keep=20)
    catalog.rollback(1)
    table = catalog.open_table()

    assert prune(catalog, 1) == [2]
    assert kept(catalog) == [1, 3]
    assert "only-in-1" in texts(catalog)
    assert files_with(f"{catalog.root}/index", "only-in-2") == []
    assert table.tags.get_version("live") == table.tags.get_version("v1")

    put(catalog, "only-in-4", keep=20)
    assert kept(catalog) == [1, 3, 4]


def test_pruning_again_does_nothing(catalog: IndexCatalog):
    for number in range(1, 4):
        put(catalog, f"only-in-{number}")
    version = catalog.open_table().version

    assert prune(catalog, 2) == []
    assert catalog.open_table().version == version


def test_at_least_one_publication_is_kept(catalog: IndexCatalog):
    with pytest.raises(ValueError, match="at least 1"):
        prune(catalog, 0)


KILLED = """
import os, signal, sys
from lancedb.table import LanceTable, Tags
from feedback_pipeline.example_index import retention
from feedback_pipeline.example_index.catalog import IndexCatalog
root, moment = sys.argv[1], int(sys.argv[2])
steps = iter(range(100))
def dying(function):
    def call(*a, **k):
        if next(steps) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*a, **k)
    return call
for owner, names in [
    (Tags, ["delete", "update"]),
    (LanceTable, ["optimize", "restore"]),
    (IndexCatalog, ["note"]),
    (retention, ["sweep_notes"]),
]:
    for name in names:
        setattr(owner, name, dying(getattr(owner, name)))
retention.prune(IndexCatalog(root), 1)
"""


def test_killed_at_any_step_live_stays_whole_and_the_next_call_finishes(catalog: IndexCatalog):
    for number in range(1, 5):
        put(catalog, f"only-in-{number}", keep=20)
    catalog.rollback(2)
    moment = 0
    while True:
        command = [sys.executable, "-c", KILLED, catalog.root, str(moment)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert "only-in-2" in texts(catalog)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        moment += 1

    prune(catalog, 1)

    assert moment >= 6
    assert kept(catalog) == [2, 4]
    for number in (1, 3):
        assert files_with(f"{catalog.root}/index", f"only-in-{number}") == []
    put(catalog, "only-in-5", keep=20)
    assert kept(catalog) == [2, 4, 5]
