"""Checking that releases are whole."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_pipeline.finetune.catalog import DamagedReleaseError, Release, RevokedReleaseError, UnknownReleaseError
from feedback_pipeline.finetune.reading.pull import pull
from feedback_pipeline.finetune.reading.verify import check_release
from feedback_pipeline_tests.finetune.file_server import FileServer
from feedback_pipeline_tests.finetune.object_store import upload
from feedback_pipeline_tests.finetune.published import (
    SPLIT_ROWS,
    publish,
    publish_format_1,
    read_manifest,
    revoke,
    write_manifest,
)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return publish(tmp_path / "root")


def digest_of_manifest(release: Release) -> str:
    return release.digest


def problems_of(path: Path | str) -> dict[str, str]:
    return {problem.path: problem.problem for problem in check_release(str(path), digest=None).problems}


def test_a_whole_release_has_no_problems(published: Path) -> None:
    report = check_release(str(published), digest=digest_of_manifest)

    assert report.whole
    assert (report.name, report.version, report.listed, report.digest_checked) == ("text2sql", 1, True, True)
    files = read_manifest(published)["files"]
    assert (report.files, report.bytes) == (len(files), sum(file["bytes"] for file in files))
    assert report.rows["default"] == SPLIT_ROWS


def test_all_problems_are_reported_with_a_way_out(published: Path) -> None:
    (published / "README.md").unlink()
    cut = published / "default/train-00001-of-00002.parquet"
    cut.write_bytes(cut.read_bytes()[:-100])
    edited = published / "sft/train-00000-of-00001.parquet"
    edited.write_bytes(bytes(edited.stat().st_size))
    shutil.copy(edited, published / "preference/train-00001-of-00001.parquet")

    report = check_release(str(published), digest=digest_of_manifest)

    assert {problem.path: problem.problem.split(":")[0] for problem in report.problems} == {
        "README.md": "is missing",
        "default/train-00001-of-00002.parquet": f"has {cut.stat().st_size} bytes, not {cut.stat().st_size + 100}",
        "sft/train-00000-of-00001.parquet": "was changed",
        "preference/train-00001-of-00001.parquet": "is no file of this release, but would be loaded with it",
    }
    assert all(problem.remedy for problem in report.problems)
    assert not report.whole
    assert not report.digest_checked


def test_a_file_that_is_no_parquet_is_found_though_its_checksum_is_right(published: Path) -> None:
    manifest = read_manifest(published)
    file = next(one for one in manifest["files"] if one["path"].startswith("sft/test"))
    (published / file["path"]).write_bytes(b"x" * 100)
    file |= {"bytes": 100, "sha256": "09ecb6ebc8bcefc733f6f2ec44f791abeed6a99edf0cc31519637898aebd52d8"}
    write_manifest(published, manifest)

    assert problems_of(published)[file["path"]].startswith("cannot be read: ")


def test_row_counts_must_be_those_of_the_manifest(published: Path) -> None:
    manifest = read_manifest(published)
    next(one for one in manifest["files"] if one["path"].startswith("sft/test"))["rows"] += 1
    manifest["configs"]["default"]["rows"]["train"] += 5
    write_manifest(published, manifest)

    assert problems_of(published) == {
        "sft/test-00000-of-00001.parquet": "holds 4 rows, not 5 as the manifest says",
        "manifest.json": "train of config default has 30 rows, not 35 as the manifest says",
    }


def test_a_digest_that_is_not_that_of_the_rows_is_found(published: Path) -> None:
    report = check_release(str(published), digest=lambda release: "0" * 64)

    [problem] = report.problems
    assert problem.path == "manifest.json"
    assert "is not that of the rows, " + "0" * 64 in problem.problem


def test_rows_of_which_no_digest_can_be_made_are_a_problem(published: Path) -> None:
    [problem] = check_release(str(published)).problems

    assert problem.problem.startswith("its digest cannot be worked out: ")


def test_the_digest_is_computed_from_local_files(published: Path, server: FileServer) -> None:
    def count(release: Release) -> str:
        return str(pq.read_table(f"{release.path}/default").num_rows)

    manifest = read_manifest(published)
    write_manifest(published, manifest | {"digest": "40"})

    report = check_release(f"{server.url}/releases/text2sql/v1", digest=count)

    assert report.whole
    assert report.digest_checked
    assert not report.listed


def test_a_release_on_a_plain_http_server_is_checked(published: Path, server: FileServer) -> None:
    (published / "rows.parquet").unlink()
    readme = published / "README.md"
    readme.write_text(readme.read_text().replace("text2sql", "text3sql"))

    problems = problems_of(f"{server.url}/releases/text2sql/v1/")

    assert {path: text.split(":")[0] for path, text in problems.items()} == {
        "rows.parquet": "is missing",
        "README.md": "was changed",
    }


def test_a_release_on_an_object_store_is_checked_with_strangers(published: Path, tmp_path: Path, bucket: str) -> None:
    upload(tmp_path / "root", bucket)
    url = f"{bucket}/releases/text2sql/v1"
    assert check_release(url, digest=digest_of_manifest).whole

    shutil.copy(published / "rows.parquet", published / "sft/train-extra.parquet")
    upload(tmp_path / "root", bucket)

    assert list(problems_of(url)) == ["sft/train-extra.parquet"]


def test_a_release_of_format_1_is_checked(tmp_path: Path) -> None:
    published = publish_format_1(tmp_path / "root")
    assert check_release(str(published), digest=digest_of_manifest).whole

    pq.write_table(pa.table({"a": [1]}), published / "data/train-stray.parquet")
    manifest = read_manifest(published)
    write_manifest(published, manifest | {"rows": SPLIT_ROWS | {"test": 9}})

    assert problems_of(published) == {
        "manifest.json": "test of config default has 4 rows, not 9 as the manifest says",
        "data/train-stray.parquet": "is no file of this release, but would be loaded with it",
    }


def test_a_folder_with_some_configs_is_whole_without_the_others(published: Path, tmp_path: Path) -> None:
    pulled = tmp_path / "pulled"
    pull(str(tmp_path / "root"), "text2sql", pulled, configs=["sft"])

    report = check_release(str(pulled), digest=lambda release: "not called")

    assert report.whole
    assert (list(report.rows), report.digest_checked) == (["sft"], False)


def test_what_is_no_release_cannot_be_checked(published: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownReleaseError, match="no release, or one that is only half pulled"):
        check_release(str(tmp_path))

    (published / "manifest.json").write_text("{")
    with pytest.raises(DamagedReleaseError, match=r"manifest.json is damaged"):
        check_release(str(published))


def test_a_revoked_version_is_refused(published: Path) -> None:
    revoke(published, "erasure", replaced_by=None)

    with pytest.raises(RevokedReleaseError, match="there is no version to take instead yet"):
        check_release(str(published))


def test_progress_ends_with_all_bytes(published: Path) -> None:
    seen: list[tuple[int, int]] = []

    report = check_release(str(published), digest=None, progress=lambda done, total: seen.append((done, total)))

    assert seen[-1] == (report.bytes, report.bytes)
