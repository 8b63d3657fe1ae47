"""A publisher that dies at any step, or has no room: the version before stays whole, and the next run makes good."""

import subprocess
import sys
from pathlib import Path

import pytest

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.publishing.release import publish_release
from feedback_pipeline.finetune.reading.verify import check_release
from feedback_pipeline_tests.finetune.samples import POLICY, examples
from feedback_pipeline_tests.store.running import ROOT

PUBLISHER = """
import os, resource, signal, sys, threading
from feedback_pipeline.finetune import catalog
from feedback_pipeline.finetune.publishing import staging
from feedback_pipeline.finetune.publishing.release import publish_release
from feedback_pipeline.tables.files import StorageError
from feedback_pipeline_tests.finetune.samples import POLICY, examples

root, moment, room = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
lock, steps = threading.Lock(), iter(range(10_000))

def dying(function, after):
    def call(*arguments, **more):
        with lock:
            step = next(steps)
        if step == moment and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        done = function(*arguments, **more)
        if step == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return call

for module, name in ((staging, "write_bytes"), (staging, "_copy"), (staging, "write_json"), (staging, "_appear"),
                     (catalog, "write_json")):
    setattr(module, name, dying(getattr(module, name), after=moment % 2))
if room:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
try:
    publish_release(catalog.ReleaseCatalog(root), "text2sql", examples(41), POLICY)
except StorageError as error:
    sys.exit(str(error))
# What a library does while the interpreter ends is not tested here.
os._exit(0)
"""


def publisher(root: Path, *, dies_at: int = -1, room: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PUBLISHER, str(root), str(dies_at), str(room)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def published(catalog: ReleaseCatalog, count: int) -> Release:
    release = publish_release(catalog, "text2sql", examples(count), POLICY).release
    assert release is not None
    return release


def assert_whole(release: Release) -> None:
    assert not check_release(release.path).problems


def test_killed_at_any_step_the_version_before_is_whole_and_the_next_run_makes_good(tmp_path: Path):
    moment = 0
    while True:
        root = tmp_path / str(moment)
        catalog = ReleaseCatalog(str(root))
        first = published(catalog, 40)

        outcome = publisher(root, dies_at=moment)

        latest = catalog.latest("text2sql")
        assert latest is not None
        assert_whole(first)
        assert_whole(latest)
        if outcome.returncode == 0:
            break
        assert outcome.returncode == -9, outcome.stderr
        second = published(catalog, 41)
        assert_whole(second)
        assert (second.version, catalog.latest("text2sql")) == (2, second)
        assert sorted(path.name for path in (root / "releases" / "text2sql").glob("*v*")) == ["v1", "v2"]
        moment += 1
    assert moment > 15


@pytest.mark.parametrize("room", [400, 5_000])
def test_a_full_disk_is_a_clear_error_and_leaves_nothing_behind(tmp_path: Path, room: int):
    catalog = ReleaseCatalog(str(tmp_path))
    first = published(catalog, 40)

    outcome = publisher(tmp_path, room=room)

    assert outcome.returncode == 1
    assert "cannot write" in outcome.stderr
    assert "nothing stored so far is lost" in outcome.stderr
    assert_whole(first)
    assert catalog.latest("text2sql") == first
    assert sorted(path.name for path in (tmp_path / "releases" / "text2sql").glob("*v*")) == ["v1"]
    assert published(catalog, 41).version == 2


def test_what_is_damaged_is_not_handed_on_to_the_next_version(tmp_path: Path):
    catalog = ReleaseCatalog(str(tmp_path))
    first = published(catalog, 60)
    validation = next(Path(first.path).glob("sft/validation-*.parquet"))
    validation.write_bytes(validation.read_bytes()[:-1])
    grown = next(count for count in range(61, 99) if examples_in(catalog, first, count))

    second = published(catalog, grown)

    assert_whole(second)


def examples_in(catalog: ReleaseCatalog, first: Release, count: int) -> bool:
    """Tell whether the newest of so many rows is one to train on, so that validation does not change."""
    from feedback_pipeline.finetune.content.splits import split_of

    return all(split_of(f"cluster {n}", POLICY.validation_percent, POLICY.test_percent) == 0 for n in range(60, count))


def test_a_version_without_its_record_is_not_built_upon(tmp_path: Path):
    from feedback_pipeline.finetune.catalog import DamagedReleaseError

    catalog = ReleaseCatalog(str(tmp_path))
    first = published(catalog, 40)
    record = Path(first.path) / "rows.parquet"
    record.write_bytes(record.read_bytes()[:100])

    with pytest.raises(DamagedReleaseError, match=r"rows.parquet is missing or damaged.*test to train"):
        published(catalog, 41)

    assert catalog.versions("text2sql") == [1]
