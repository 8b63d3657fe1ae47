"""Publishing versions: unchanged input publishes nothing, and a reader never sees half of one."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

from feedback_pipeline.finetune.catalog import ReleaseCatalog, UnknownReleaseError
from feedback_pipeline.finetune.content.selection import ReleasePolicy
from feedback_pipeline.finetune.publishing.release import publish_release
from feedback_pipeline.tables.files import StorageError
from feedback_pipeline_tests.finetune.samples import POLICY, examples


@pytest.fixture
def catalog(tmp_path: Path) -> ReleaseCatalog:
    return ReleaseCatalog(str(tmp_path))


def test_the_first_release_loads_with_every_row(catalog: ReleaseCatalog, tmp_path: Path):
    release = publish_release(catalog, "text2sql", examples(60), POLICY).release

    assert release is not None
    loaded = datasets.load_dataset(release.path, cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == release.rows
    assert sum(release.rows.values()) == 60


def test_unchanged_input_publishes_nothing(catalog: ReleaseCatalog):
    first = publish_release(catalog, "text2sql", examples(20), POLICY)
    second = publish_release(catalog, "text2sql", examples(20), POLICY)

    assert (first.published, second.published) == (True, False)
    assert second.release == first.release
    assert catalog.versions("text2sql") == [1]


def test_changed_input_publishes_the_next_version_and_names_its_parent(catalog: ReleaseCatalog):
    first = publish_release(catalog, "text2sql", examples(20), POLICY).release
    second = publish_release(catalog, "text2sql", examples(21), POLICY).release

    assert first is not None and second is not None  # noqa: PT018
    assert second.version == 2
    assert second.manifest["parent"] == {"version": 1, "digest": first.digest}
    assert catalog.find("text2sql@v1").digest == first.digest
    assert catalog.latest("text2sql") == second


def test_other_thresholds_are_another_version(catalog: ReleaseCatalog):
    publish_release(catalog, "text2sql", examples(20), POLICY)

    assert publish_release(catalog, "text2sql", examples(20), ReleasePolicy(5, 10, 10)).published


def test_no_rows_before_the_first_release_release_nothing(catalog: ReleaseCatalog):
    result = publish_release(catalog, "text2sql", examples(0), POLICY)

    assert (result.release, result.published) == (None, False)


def test_a_dataset_that_lost_all_its_rows_still_loads(catalog: ReleaseCatalog, tmp_path: Path):
    publish_release(catalog, "text2sql", examples(3), POLICY)

    release = publish_release(catalog, "text2sql", examples(0), POLICY).release

    assert release is not None
    assert pq.read_table(next(Path(release.path).glob("default/*.parquet"))).num_rows == 0
    assert release.rows == {"train": 0}


def test_two_empty_roots_get_the_same_bytes(tmp_path: Path):
    folders = []
    for name in ("one", "two"):
        release = publish_release(ReleaseCatalog(str(tmp_path / name)), "text2sql", examples(40), POLICY).release
        assert release is not None
        folders.append(Path(release.path))

    files = [{str(path.relative_to(f)): path.read_bytes() for path in f.rglob("*") if path.is_file()} for f in folders]

    assert files[0] == files[1]


def test_the_manifest_tells_the_true_checksums(catalog: ReleaseCatalog):
    release = publish_release(catalog, "text2sql", examples(20), POLICY).release

    assert release is not None
    for file in release.manifest["files"]:
        content = (Path(release.path) / file["path"]).read_bytes()
        assert (file["sha256"], file["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))


def test_a_crash_before_the_pointer_moved_is_mended_without_a_new_version(catalog: ReleaseCatalog):
    publish_release(catalog, "text2sql", examples(20), POLICY)
    publish_release(catalog, "text2sql", examples(21), POLICY)
    catalog.point_latest("text2sql", 1)

    result = publish_release(catalog, "text2sql", examples(21), POLICY)

    assert result.published is False
    assert catalog.latest("text2sql") == result.release
    assert catalog.versions("text2sql") == [1, 2]


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")

    with pytest.raises(StorageError, match="cannot write"):
        publish_release(ReleaseCatalog(str(blocked)), "text2sql", examples(3), POLICY)


def test_any_filesystem_will_do():
    catalog = ReleaseCatalog("memory://release-test")

    publish_release(catalog, "text2sql", examples(10), POLICY)

    assert catalog.find("text2sql@latest").rows == {"train": 10} or sum(catalog.find("text2sql").rows.values()) == 10
    assert publish_release(catalog, "text2sql", examples(10), POLICY).published is False


@pytest.mark.parametrize("reference", ["text2sql@v9", "nothing", "text2sql@x", "../text2sql"])
def test_what_does_not_exist_is_named_with_what_does(catalog: ReleaseCatalog, reference: str):
    publish_release(catalog, "text2sql", examples(3), POLICY)

    with pytest.raises(UnknownReleaseError, match=r"text2sql|v1"):
        catalog.find(reference)


_PUBLISHER = """
import sys
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.finetune.publishing.release import publish_release
from feedback_pipeline_tests.finetune.samples import POLICY, examples
catalog = ReleaseCatalog(sys.argv[1])
print("ready", flush=True)
for count in range(int(sys.argv[2]), 10_000):
    publish_release(catalog, "text2sql", examples(count), POLICY)
"""


def test_a_killed_publisher_leaves_the_latest_version_whole(tmp_path: Path, catalog: ReleaseCatalog):
    for attempt in range(6):
        start = 50 + 1_000 * attempt
        command = [sys.executable, "-c", _PUBLISHER, str(tmp_path), str(start)]
        publisher = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
        assert publisher.stdout is not None
        publisher.stdout.readline()
        time.sleep(0.05 + 0.037 * attempt)
        os.kill(publisher.pid, signal.SIGKILL)
        publisher.wait()
        _assert_whole(catalog)

    assert publish_release(catalog, "text2sql", examples(7), POLICY).published
    _assert_whole(catalog)


def _assert_whole(catalog: ReleaseCatalog) -> None:
    release = catalog.latest("text2sql")
    if release is None:
        return
    for file in release.manifest["files"]:
        assert hashlib.sha256((Path(release.path) / file["path"]).read_bytes()).hexdigest() == file["sha256"]
