"""Several publishers at once, and what damage and crashes leave behind."""

from pathlib import Path

import pytest

from feedback_pipeline.finetune.catalog import DamagedReleaseError, Release, ReleaseCatalog
from feedback_pipeline.finetune.content.prompts import DatabaseFacts, Prompts, read_templates
from feedback_pipeline.finetune.content.schema_text import SchemaText
from feedback_pipeline.finetune.publishing.release import Surroundings, publish_release
from feedback_pipeline.tables.files import sha256
from feedback_pipeline_tests.finetune.samples import POLICY, examples
from feedback_pipeline_tests.finetune.versions import example
from feedback_pipeline_tests.finetune.versions import publish as publish_rows
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


@pytest.mark.parametrize("pointer", ['{"a": 1}', "[1]", '"x"', "5"])
def test_a_pointer_that_makes_no_sense_is_as_good_as_none(catalog: ReleaseCatalog, pointer: str) -> None:
    newest = publish(catalog, 5)
    (Path(catalog.root) / "text2sql" / "latest.json").write_text(pointer)

    assert catalog.latest("text2sql") == newest


def test_a_version_that_lost_its_manifest_is_not_written_over(catalog: ReleaseCatalog) -> None:
    publish(catalog, 5)
    lost = publish(catalog, 6)
    (Path(lost.path) / "manifest.json").unlink()

    with pytest.raises(DamagedReleaseError, match=r"v2 was published and has no manifest.json any more"):
        publish(catalog, 6)

    assert list((Path(lost.path) / "default").iterdir())


def test_a_damaged_old_version_stops_nobody(catalog: ReleaseCatalog) -> None:
    old = publish(catalog, 5)
    publish(catalog, 6)
    (Path(old.path) / "manifest.json").write_text("{")

    assert publish(catalog, 7).version == 3


def test_a_root_may_have_any_name(tmp_path: Path) -> None:
    catalog = ReleaseCatalog(str(tmp_path / "data [old] *"))

    assert [publish(catalog, count).version for count in (50, 30)] == [1, 2]


@pytest.mark.parametrize("name", ["../x", "a b", "", ".hidden", "a/b"])
def test_a_name_that_is_none_is_refused(catalog: ReleaseCatalog, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a dataset"):
        publish_release(catalog, name, examples(3), POLICY)


def test_two_databases_that_exchange_their_schemas_exchange_their_prompts(tmp_path: Path) -> None:
    ones, others = {"ta": {"x": "int"}}, {"tb": {"y": "int"}}
    rows = [example(number, database_id="ab"[number % 2]) for number in range(10)]
    publish_rows(tmp_path / "one", rows, surroundings=told(ones, others))

    after = publish_rows(tmp_path / "one", rows, surroundings=told(others, ones))

    fresh = publish_rows(tmp_path / "two", rows, surroundings=told(others, ones))
    assert after.digest == fresh.digest
    assert checksums(after) == checksums(fresh)


def told(first: dict[str, dict[str, str]], second: dict[str, dict[str, str]]) -> Surroundings:
    facts = {
        name: DatabaseFacts("sqlite", SchemaText(schema, 6_000)) for name, schema in {"a": first, "b": second}.items()
    }
    return Surroundings(prompts=Prompts(read_templates(), facts))


def checksums(release: Release) -> dict[str, str]:
    return {file["path"]: file["sha256"] for file in release.manifest["files"] if file["path"].startswith("sft/")}
