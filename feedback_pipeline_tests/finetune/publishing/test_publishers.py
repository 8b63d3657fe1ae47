"""Several publishers at once, and what damage and crashes leave behind."""

from pathlib import Path

import pytest

from feedback_pipeline.finetune.catalog import DamagedReleaseError, Release, ReleaseCatalog
from feedback_pipeline.finetune.publishing.release import publish_release
from feedback_pipeline.tables.files import sha256
from feedback_pipeline_tests.finetune.samples import POLICY, examples
from feedback_pipeline_tests.store.running import together


@pytest.fixture
def catalog(tmp_path: Path) -> ReleaseCatalog:
    return ReleaseCatalog(str(tmp_path))


def publish(catalog: ReleaseCatalog, count: int) -> Release:
    release = publish_release(catalog, "text2sql", examples(count), POLICY).release
    assert release is not None
    return release


def assert_whole(release: Release) -> None:
    for file in release.manifest["files"]:
        assert sha256((Path(release.path) / file["path"]).read_bytes()) == file["sha256"]


def test_publishers_of_different_rows_follow_each_other(catalog: ReleaseCatalog) -> None:
    results = together(*(lambda count=count: publish(catalog, count) for count in range(10, 16)))

    assert sorted(release.version for release in results) == catalog.versions("text2sql") == [1, 2, 3, 4, 5, 6]
    for release in results:
        assert_whole(release)
    assert sorted(sum(release.rows.values()) for release in results) == [10, 11, 12, 13, 14, 15]
    assert catalog.latest("text2sql") == catalog.newest("text2sql")


def test_publishers_of_the_same_rows_release_them_once(catalog: ReleaseCatalog) -> None:
    results = together(*(lambda: publish(catalog, 10) for _ in range(6)))

    assert {release.version for release in results} == {1}
    assert catalog.versions("text2sql") == [1]


def test_a_folder_without_manifest_is_no_version_and_in_nobodys_way(catalog: ReleaseCatalog) -> None:
    publish(catalog, 5)
    left_over = Path(catalog.folder("text2sql", 2)) / "data" / "train-00000-of-00009.parquet"
    left_over.parent.mkdir(parents=True)
    left_over.write_bytes(b"half")
    assert catalog.versions("text2sql") == [1]

    assert publish(catalog, 6).version == 2

    assert not left_over.exists()


def test_the_remains_of_a_killed_publisher_do_not_get_into_a_version(catalog: ReleaseCatalog) -> None:
    remains = Path(catalog.root) / "text2sql" / ".v1.staging" / "default" / "train-00000-of-00009.parquet"
    remains.parent.mkdir(parents=True)
    remains.write_bytes(b"half")

    release = publish(catalog, 5)

    assert not remains.parent.parent.exists()
    assert {path.name for path in (Path(release.path) / "default").iterdir()} == {
        path.rsplit("/", 1)[-1] for path in release.data_files
    }


@pytest.mark.parametrize("pointer", [None, "", "{", '{"version": 7}'])
def test_without_its_pointer_the_newest_version_is_the_latest(catalog: ReleaseCatalog, pointer: str | None) -> None:
    publish(catalog, 5)
    newest = publish(catalog, 6)
    path = Path(catalog.root) / "text2sql" / "latest.json"
    path.unlink() if pointer is None else path.write_text(pointer)

    assert catalog.latest("text2sql") == catalog.find("text2sql") == newest


def test_a_damaged_manifest_is_named(catalog: ReleaseCatalog) -> None:
    manifest = Path(publish(catalog, 5).path) / "manifest.json"
    manifest.write_text("{")

    with pytest.raises(DamagedReleaseError, match=f"{manifest} is damaged"):
        catalog.find("text2sql")
    with pytest.raises(DamagedReleaseError, match="restore the version from a backup"):
        publish(catalog, 6)
