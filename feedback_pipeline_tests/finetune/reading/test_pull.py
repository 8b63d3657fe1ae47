"""Pulling releases from a folder, an object store and a plain HTTP server."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import s3fs

from feedback_pipeline.finetune.catalog import DamagedReleaseError, RevokedReleaseError, UnknownReleaseError
from feedback_pipeline.finetune.reading.destination import DestinationError
from feedback_pipeline.finetune.reading.pull import PullResult, pull
from feedback_pipeline.finetune.reading.release_files import UnknownConfigError
from feedback_pipeline.finetune.reading.sources import SourceError
from feedback_pipeline.tables.files import StorageError
from feedback_pipeline_tests.finetune.file_server import FileServer
from feedback_pipeline_tests.finetune.object_store import upload
from feedback_pipeline_tests.finetune.published import (
    publish,
    publish_format_1,
    publish_random,
    read_manifest,
    revoke,
    tree,
    write_manifest,
)

BIG = "default/train-00000-of-00001.parquet"
HINT = ".huggingface.yaml"
MEGABYTE = 1024 * 1024


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "pulled"


def transferred(result: PullResult) -> tuple[int, int, int]:
    return result.downloaded, result.reused, result.kept


def test_a_release_is_pulled_from_a_folder(root: Path, dest: Path) -> None:
    published = publish(root)

    result = pull(str(root), "text2sql", dest)

    files = read_manifest(published)["files"]
    assert tree(dest) == tree(published)
    assert transferred(result) == (len(files), 0, 0)
    assert result.downloaded_bytes == sum(file["bytes"] for file in files)
    assert (result.name, result.version, result.path) == ("text2sql", 1, str(dest))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_release_is_pulled_from_a_plain_http_server(root: Path, dest: Path, server: FileServer, ranges: bool) -> None:
    published = publish(root)
    server.ranges = ranges

    pull(server.url, "text2sql@v1", dest)

    assert tree(dest) == tree(published)


def test_a_release_is_pulled_from_an_object_store(root: Path, dest: Path, bucket: str) -> None:
    published = publish(root)
    upload(root, f"{bucket}/data")

    pull(f"{bucket}/data", "text2sql@latest", dest)

    assert tree(dest) == tree(published)


def test_a_release_of_format_1_is_pulled(root: Path, dest: Path, server: FileServer) -> None:
    published = publish_format_1(root)

    pull(server.url, "text2sql", dest)

    assert tree(dest) == tree(published)


def test_pulling_again_transfers_nothing(root: Path, dest: Path, server: FileServer) -> None:
    published = publish(root)
    pull(server.url, "text2sql", dest)
    before, sent = {path: (dest / path).stat().st_mtime_ns for path in tree(dest)}, server.bytes_sent

    result = pull(server.url, "text2sql", dest)

    files = read_manifest(published)["files"]
    assert transferred(result) == (0, 0, len(files))
    assert result.kept_bytes == sum(file["bytes"] for file in files)
    assert (result.downloaded_bytes, server.bytes_sent) == (0, sent)
    assert {path: (dest / path).stat().st_mtime_ns for path in tree(dest)} == before


def test_only_the_configs_asked_for_are_pulled(root: Path, dest: Path, server: FileServer) -> None:
    published = publish(root)

    result = pull(server.url, "text2sql", dest, configs=["sft"])

    wanted = {path for path in tree(published) if path.startswith("sft/")} | {"README.md", "manifest.json", HINT}
    assert set(tree(dest)) == wanted
    assert result.configs == ["sft"]
    assert read_manifest(dest) == read_manifest(published) | {"pulled": {"configs": ["sft"]}}
    assert not any(path.endswith("rows.parquet") for path in server.requests)


def test_the_folder_holds_what_was_asked_for_last(root: Path, dest: Path) -> None:
    published = publish(root)
    pull(str(root), "text2sql", dest, configs=["sft"])

    whole = pull(str(root), "text2sql", dest)
    assert tree(dest) == tree(published)
    assert whole.kept == 4

    pull(str(root), "text2sql", dest, configs=["preference"])
    assert {path.split("/")[0] for path in tree(dest)} == {"README.md", "manifest.json", "preference", HINT}
    assert not (dest / "sft").exists()


def test_an_unknown_config_is_refused_by_name(root: Path, dest: Path) -> None:
    publish(root)

    with pytest.raises(UnknownConfigError, match="has no config stf; it has default, preference, sft"):
        pull(str(root), "text2sql", dest, configs=["stf"])

    assert not dest.exists()


def test_another_version_takes_only_what_has_changed(root: Path, dest: Path, server: FileServer) -> None:
    publish(root, 1)
    second = publish(root, 2, marks=("more",))
    pull(server.url, "text2sql@v1", dest)
    server.requests.clear()

    result = pull(server.url, "text2sql@v2", dest)

    assert tree(dest) == tree(second)
    asked = {path.split("/v2/")[1] for path in server.requests if path.endswith(".parquet")}
    assert asked == {f"{config}/validation-00000-of-00001.parquet" for config in ("default", "sft", "preference")} | {
        "rows.parquet"
    }
    assert result.kept == len(read_manifest(second)["files"]) - result.downloaded


def test_files_that_were_renamed_are_reused(root: Path, dest: Path, server: FileServer) -> None:
    first = publish(root, 1)
    pull(server.url, "text2sql@v1", dest)
    second = publish(root, 2)
    manifest = read_manifest(second)
    a, b = (file for file in manifest["files"] if file["path"].startswith("default/train"))
    (second / a["path"]).rename(second / "swap")
    (second / b["path"]).rename(second / a["path"])
    (second / "swap").rename(second / b["path"])
    a["path"], b["path"] = b["path"], a["path"]
    (second / "sft/test-00000-of-00001.parquet").rename(second / "sft/test-00000-of-00007.parquet")
    moved = next(file for file in manifest["files"] if file["path"].startswith("sft/test"))
    moved["path"] = "sft/test-00000-of-00007.parquet"
    write_manifest(second, manifest)

    result = pull(server.url, "text2sql@v2", dest)

    assert tree(dest) == tree(second)
    assert result.reused == 3
    assert not any("v2/default" in path or "v2/sft" in path for path in server.requests)
    assert tree(first) != tree(dest)


def test_a_folder_that_is_not_ours_is_refused(root: Path, dest: Path) -> None:
    publish(root)
    publish(root, name="other")
    dest.mkdir()
    (dest / "thesis.txt").write_text("precious")

    with pytest.raises(DestinationError, match="is not empty and no pulled release"):
        pull(str(root), "text2sql", dest)
    assert tree(dest) == {"thesis.txt": b"precious"}

    (dest / "thesis.txt").unlink()
    pull(str(root), "other", dest)
    with pytest.raises(DestinationError, match="holds dataset other, not text2sql"):
        pull(str(root), "text2sql", dest)
    with pytest.raises(DestinationError, match="is a file"):
        pull(str(root), "text2sql", dest / "manifest.json")


def test_a_damaged_file_is_replaced_and_strangers_are_left_alone(root: Path, dest: Path) -> None:
    published = publish(root)
    pull(str(root), "text2sql", dest)
    (dest / "sft/train-00000-of-00001.parquet").write_bytes(b"edited")
    (dest / "notes.txt").write_text("mine")

    result = pull(str(root), "text2sql", dest)

    assert result.downloaded == 1
    assert tree(dest) == {**tree(published), "notes.txt": b"mine"}


def test_a_transfer_that_breaks_off_goes_on_where_it_was(root: Path, dest: Path, server: FileServer) -> None:
    published = publish_random(root, {BIG: 2 * MEGABYTE})
    server.break_after = 300_000

    result = pull(server.url, "blob", dest)

    assert tree(dest) == tree(published)
    assert server.bytes_sent < 2.5 * MEGABYTE
    assert server.ranges_asked[0] == "bytes=300000-"
    assert result.downloaded_bytes == 2 * MEGABYTE + 10


def test_a_server_without_ranges_that_breaks_off_is_asked_for_the_whole_file_again(
    root: Path, dest: Path, server: FileServer
) -> None:
    published = publish_random(root, {BIG: MEGABYTE})
    server.ranges, server.break_after, server.breaks = False, 300_000, 2

    pull(server.url, "blob", dest)

    assert tree(dest) == tree(published)
    assert server.bytes_sent == MEGABYTE + 600_000


def test_a_server_that_never_ends_a_file_is_given_up(
    root: Path, dest: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedback_pipeline.finetune.reading.transfer.MAX_WAIT_S", 0.01)
    publish_random(root, {BIG: MEGABYTE})
    server.ranges, server.break_after = False, 300_000

    with pytest.raises(SourceError, match=r"cannot read http.*run the same command again"):
        pull(server.url, "blob", dest)

    assert not (dest / "manifest.json").exists()
    assert server.requests["releases/blob/v1/" + BIG] < 10


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_server_is_asked_again(root: Path, dest: Path, server: FileServer, status: int) -> None:
    published = publish(root)
    server.failures = [status, status]

    pull(server.url, "text2sql", dest)

    assert tree(dest) == tree(published)


@pytest.mark.parametrize(("status", "text"), [(403, "ask for access"), (404, "its manifest names it")])
def test_a_file_that_is_refused_is_named(root: Path, dest: Path, server: FileServer, status: int, text: str) -> None:
    publish(root)
    path = "releases/text2sql/v1/rows.parquet"
    server.statuses[path] = status

    with pytest.raises((SourceError, DamagedReleaseError), match=f"{server.url}/{path}.*{status}.*{text}"):
        pull(server.url, "text2sql", dest)

    assert server.requests[path] == 1
    assert not (dest / "manifest.json").exists()


def test_user_and_password_of_the_address_are_used_and_not_told(root: Path, dest: Path, server: FileServer) -> None:
    publish(root)
    server.credentials = "Basic YW5uOnNlY3JldA=="
    address = server.url.replace("//", "//ann:secret@")

    result = pull(address, "text2sql", dest)

    assert result.downloaded
    with pytest.raises(SourceError, match="401") as refused:
        pull(address.replace("ann", "bob"), "text2sql", dest)
    assert "secret" not in str(refused.value)


def test_nobody_there_is_said_with_the_address(dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback_pipeline.finetune.reading.sources.MAX_WAIT_S", 0.01)

    with pytest.raises(SourceError, match=r"http://127.0.0.1:9/releases/text2sql/latest.json.*check the connection"):
        pull("http://127.0.0.1:9", "text2sql", dest)


def test_an_object_store_says_what_it_has_not(root: Path, dest: Path, bucket: str) -> None:
    publish(root)
    upload(root, f"{bucket}/data")

    with pytest.raises(
        UnknownReleaseError, match=r"no dataset 'text2sql': s3://trained/nothing/releases/text2sql/latest"
    ):
        pull(f"{bucket}/nothing", "text2sql", dest)
    with pytest.raises(UnknownReleaseError, match=r"has no version 7.*its latest is v1"):
        pull(f"{bucket}/data", "text2sql@v7", dest)


def test_an_object_store_that_is_not_there_is_said_with_the_address(
    dest: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedback_pipeline.finetune.reading.sources.MAX_WAIT_S", 0.01)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()

    with pytest.raises(SourceError, match=r"cannot read s3://trained/releases/text2sql/latest.json: .*127.0.0.1:9"):
        pull(bucket, "text2sql", dest)


@pytest.mark.parametrize("kind", ["folder", "http"])
def test_unknown_datasets_and_versions_are_refused(root: Path, dest: Path, server: FileServer, kind: str) -> None:
    publish(root, 1)
    source = str(root) if kind == "folder" else server.url

    with pytest.raises(UnknownReleaseError, match="no dataset 'nope'"):
        pull(source, "nope", dest)
    with pytest.raises(UnknownReleaseError, match=r"has no version 7.*v1"):
        pull(source, "text2sql@v7", dest)
    with pytest.raises(UnknownReleaseError):
        pull(source, "../../etc@v1", dest)
    assert not dest.exists()


@pytest.mark.parametrize("kind", ["folder", "http"])
def test_a_revoked_version_is_refused_with_the_one_to_take(
    root: Path, dest: Path, server: FileServer, kind: str
) -> None:
    first, second = publish(root, 1), publish(root, 2)
    (second.parent / "latest.json").write_text('{"version": 1}')
    revoke(first, "erasure", replaced_by=2)
    source = str(root) if kind == "folder" else server.url

    with pytest.raises(RevokedReleaseError, match=r"v1 was revoked \(erasure\).*take text2sql@v2"):
        pull(source, "text2sql@v1", dest)

    assert pull(source, "text2sql", dest).version == 2


def test_a_file_that_was_edited_at_the_source_is_refused(root: Path, dest: Path, server: FileServer) -> None:
    published = publish(root)
    edited = published / "rows.parquet"
    edited.write_bytes(bytes(edited.stat().st_size))

    with pytest.raises(DamagedReleaseError, match=r"rows.parquet is not what its manifest says"):
        pull(server.url, "text2sql", dest)

    assert not (dest / "manifest.json").exists()
    assert not (dest / ".rows.parquet.part").exists()


@pytest.mark.parametrize("kind", ["folder", "http"])
def test_a_file_that_was_cut_off_at_the_source_is_refused(
    root: Path, dest: Path, server: FileServer, kind: str
) -> None:
    published = publish(root)
    edited = published / "rows.parquet"
    edited.write_bytes(edited.read_bytes()[:-9])
    source = str(root) if kind == "folder" else server.url

    with pytest.raises((DamagedReleaseError, SourceError), match=r"rows.parquet .*(ended after|is shorter)"):
        pull(source, "text2sql", dest)


@pytest.mark.parametrize(
    "path", ["../escaped", "/etc/escaped", "a/../../escaped", "a\\escaped", ".hidden", "manifest.json", "", "a//b", 7]
)
def test_a_manifest_that_leads_out_of_the_folder_is_refused(
    root: Path, dest: Path, server: FileServer, path: object
) -> None:
    published = publish(root)
    manifest = read_manifest(published)
    manifest["files"].append({"path": path, "bytes": 1, "sha256": "0" * 64})
    write_manifest(published, manifest)

    with pytest.raises(DamagedReleaseError, match="has an entry that cannot be used"):
        pull(server.url, "text2sql", dest)

    assert not dest.exists()


def test_a_note_that_leads_out_of_the_folder_removes_nothing(root: Path, dest: Path, tmp_path: Path) -> None:
    publish(root)
    dest.mkdir()
    (tmp_path / "precious").write_text("mine")
    note = {"name": "text2sql", "digest": "x", "paths": ["../precious"]}
    (dest / ".pulling.json").write_text(json.dumps(note))

    with pytest.raises(DestinationError, match="cannot be used"):
        pull(str(root), "text2sql", dest)

    assert (tmp_path / "precious").exists()


def test_a_page_instead_of_a_manifest_is_told_apart(root: Path, dest: Path, server: FileServer) -> None:
    published = publish(root)
    (published / "manifest.json").write_text("<html>")

    with pytest.raises(DamagedReleaseError, match=r"manifest.json is damaged"):
        pull(server.url, "text2sql", dest)

    (published / "manifest.json").write_text('{"unlike": 1}')
    with pytest.raises(DamagedReleaseError, match=r"is no manifest of a release"):
        pull(server.url, "text2sql", dest)


def test_a_full_disk_is_said_and_what_has_come_is_kept(root: Path, dest: Path, server: FileServer) -> None:
    published = publish_random(root, {"a.parquet": 300_000, BIG: 2 * MEGABYTE})
    # No file may grow beyond one megabyte, as if the disk were full then.
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1048576, 1048576));"
        "from feedback_pipeline.finetune.reading.pull import pull; pull(*sys.argv[1:])"
    )

    command = [sys.executable, "-c", code, server.url, "blob", str(dest)]
    failed = subprocess.run(command, capture_output=True, text=True)

    assert "StorageError: cannot write" in failed.stderr
    assert "File too large; free space or name another folder" in failed.stderr
    assert server.requests[f"releases/blob/v1/{BIG}"] == 1
    assert not (dest / "manifest.json").exists()
    assert pull(server.url, "blob", dest).resumed_bytes > 500_000
    assert tree(dest) == tree(published)


def test_more_than_fits_the_disk_is_refused_before_it_is_brought(root: Path, dest: Path, server: FileServer) -> None:
    published = publish_random(root, {BIG: 10})
    manifest = read_manifest(published)
    manifest["files"][0]["bytes"] = 10**18
    write_manifest(published, manifest)

    with pytest.raises(StorageError, match=r"bytes free, and 1,000,000,000,000,000,010 are to come"):
        pull(server.url, "blob", dest)

    assert server.bytes_sent == 0


def test_progress_ends_with_all_bytes_whatever_happens_on_the_way(root: Path, dest: Path, server: FileServer) -> None:
    publish_random(root, {BIG: MEGABYTE, "a.parquet": 1000})
    server.ranges, server.break_after, server.breaks = False, 300_000, 1
    seen: list[tuple[int, int]] = []

    pull(server.url, "blob", dest, progress=lambda done, total: seen.append((done, total)))

    assert seen[-1] == (MEGABYTE + 1010, MEGABYTE + 1010)


def test_a_killed_pull_is_no_release_and_is_continued(root: Path, dest: Path, server: FileServer) -> None:
    published = publish_random(root, {"a.parquet": 500_000, BIG: 4 * MEGABYTE})
    server.slow = lambda: time.sleep(0.02)
    code = "import sys; from feedback_pipeline.finetune.reading.pull import pull; pull(*sys.argv[1:])"
    process = subprocess.Popen([sys.executable, "-c", code, server.url, "blob", str(dest)])
    part = dest / "default" / f".{Path(BIG).name}.part"
    end = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > MEGABYTE) and time.monotonic() < end:
        time.sleep(0.01)

    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert not (dest / "manifest.json").exists()
    arrived = part.stat().st_size
    server.slow = lambda: None
    result = pull(server.url, "blob", dest)
    assert tree(dest) == tree(published)
    assert result.resumed_bytes >= arrived > MEGABYTE
    assert f"bytes={arrived}-" in server.ranges_asked
    assert result.downloaded_bytes + result.resumed_bytes + result.kept_bytes == 500_000 + 4 * MEGABYTE + 10


def test_an_update_that_is_killed_at_any_file_leaves_no_mixture(
    root: Path, dest: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedback_pipeline.finetune.reading.sources.MAX_WAIT_S", 0.01)
    publish(root, 1)
    second = publish(root, 2, marks=("more",))
    paths = [file["path"] for file in read_manifest(second)["files"] if "validation" in file["path"]]
    for path in paths:
        pull(server.url, "text2sql@v1", dest)
        server.statuses = {f"releases/text2sql/v2/{path}": 403}
        with pytest.raises(SourceError):
            pull(server.url, "text2sql@v2", dest)
        assert not (dest / "manifest.json").exists()
        server.statuses = {}

        pull(server.url, "text2sql@v2", dest)

        assert tree(dest) == tree(second)


def test_the_part_of_another_version_is_thrown_away(root: Path, dest: Path, server: FileServer) -> None:
    publish(root, 1)
    second = publish(root, 2, marks=("more",))
    pull(server.url, "text2sql@v1", dest)
    server.statuses = {"releases/text2sql/v2/rows.parquet": 403}
    with pytest.raises(SourceError):
        pull(server.url, "text2sql@v2", dest, workers=1)
    (dest / "sft" / ".validation-00000-of-00001.parquet.part").write_bytes(b"rubbish")
    server.statuses = {}

    pull(server.url, "text2sql@v2", dest)

    assert tree(dest) == tree(second)


def test_two_pulls_into_one_folder_wait_for_each_other(root: Path, dest: Path, server: FileServer) -> None:
    published = publish_random(root, {"a.parquet": 300_000, BIG: MEGABYTE})
    server.slow = lambda: time.sleep(0.01)
    code = "import sys; from feedback_pipeline.finetune.reading.pull import pull; print(pull(*sys.argv[1:]).downloaded)"
    command = [sys.executable, "-c", code, server.url, "blob", str(dest)]

    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    downloaded = sorted(process.communicate()[0].strip() for process in processes)

    assert downloaded == ["0", "0", "3"]
    assert tree(dest) == tree(published)


def test_a_part_from_an_object_store_is_continued(root: Path, dest: Path, bucket: str) -> None:
    published = publish_random(root, {BIG: 3 * MEGABYTE})
    upload(root, f"{bucket}/data")
    pull(f"{bucket}/data", "blob", dest)
    (dest / "manifest.json").unlink()
    (dest / ".pulling.json").write_text('{"name": "blob", "digest": "' + "b" * 64 + f'", "paths": ["{BIG}"]}}')
    half = (dest / BIG).read_bytes()[: 2 * MEGABYTE]
    (dest / BIG).unlink()
    (dest / "default" / f".{Path(BIG).name}.part").write_bytes(half)

    result = pull(f"{bucket}/data", "blob", dest)

    assert tree(dest) == tree(published)
    assert (result.downloaded_bytes, result.resumed_bytes) == (MEGABYTE, 2 * MEGABYTE)


def test_a_part_with_wrong_bytes_costs_one_transfer_and_no_more(root: Path, dest: Path, server: FileServer) -> None:
    published = publish_random(root, {BIG: MEGABYTE})
    (dest / "default").mkdir(parents=True)
    (dest / ".pulling.json").write_text('{"name": "blob", "digest": "' + "b" * 64 + '", "paths": []}')
    (dest / "default" / f".{Path(BIG).name}.part").write_bytes(b"x" * 1000)

    pull(server.url, "blob", dest)

    assert tree(dest) == tree(published)
