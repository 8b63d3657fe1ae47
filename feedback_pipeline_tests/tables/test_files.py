"""Small files: a reader sees the old or the new content, whatever happens to the writer."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from feedback_pipeline.tables.files import StorageError, read_json, write_bytes, write_json

ENDLESS_WRITER = """
import sys
from feedback_pipeline.tables.files import write_json
for number in range(10**9):
    write_json(sys.argv[1], {"number": number, "padding": [number] * 20_000})
"""
WRITER_WITH_LITTLE_SPACE = """
import resource, sys
from feedback_pipeline.tables.files import StorageError, write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
try:
    write_bytes(sys.argv[1], b"x" * 5_000)
except StorageError as error:
    print(error)
"""
WRITER_WITHOUT_RIGHTS = """
import os, sys
from feedback_pipeline.tables.files import StorageError, write_bytes
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
try:
    write_bytes(sys.argv[1], b"new")
except StorageError as error:
    print(error)
"""


def run(script: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_json_comes_back_as_it_went(tmp_path: Path):
    path = str(tmp_path / "new" / "folder" / "note.json")

    write_json(path, {"b": 1, "a": "ö"})

    assert read_json(path) == {"a": "ö", "b": 1}
    assert Path(path).read_text() == '{\n  "a": "ö",\n  "b": 1\n}\n'


def test_a_file_that_is_not_there_reads_as_none(tmp_path: Path):
    assert read_json(str(tmp_path / "missing.json")) is None


def test_a_memory_filesystem_will_do():
    root = f"memory://{uuid.uuid4().hex}"

    write_json(f"{root}/a/note.json", [1])

    assert read_json(f"{root}/a/note.json") == [1]
    assert read_json(f"{root}/a/other.json") is None


def test_nothing_is_left_beside_the_file(tmp_path: Path):
    write_bytes(str(tmp_path / "one"), b"1")
    write_bytes(str(tmp_path / "one"), b"2")

    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("_attempt", range(3))
def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path, _attempt: int):
    path = tmp_path / "note.json"
    writer = subprocess.Popen([sys.executable, "-c", ENDLESS_WRITER, str(path)])
    try:
        deadline = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        for _ in range(50):
            seen = json.loads(path.read_bytes())
            assert set(seen["padding"]) == {seen["number"]}
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()

    seen = json.loads(path.read_bytes())
    assert len(seen["padding"]) == 20_000


def test_threads_writing_one_file_do_not_mix(tmp_path: Path):
    path, contents = tmp_path / "shared", [bytes([65 + n]) * 200_000 for n in range(4)]

    def write_often(content: bytes) -> None:
        for _ in range(20):
            write_bytes(str(path), content)

    failures: list[threading.ExceptHookArgs] = []
    threading.excepthook, former = failures.append, threading.excepthook
    try:
        threads = [threading.Thread(target=write_often, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.excepthook = former

    assert not failures
    assert path.read_bytes() in contents


def test_a_full_disk_is_said_and_the_old_content_stays(tmp_path: Path):
    path = tmp_path / "note"
    path.write_bytes(b"old")

    said = run(WRITER_WITH_LITTLE_SPACE, str(path))

    assert str(path) in said
    assert "free space" in said
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["note"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1_000


def test_a_folder_that_cannot_be_written_is_said_and_the_old_content_stays(tmp_path: Path):
    path = tmp_path / "closed" / "note"
    path.parent.mkdir()
    path.write_bytes(b"old")
    for folder in (path.parent, tmp_path, *list(tmp_path.parents)[:3]):
        os.chmod(folder, 0o755)  # noqa: PTH101
    path.parent.chmod(0o555)

    said = run(WRITER_WITHOUT_RIGHTS, str(path))

    assert "FEEDBACK_STORAGE_ROOT" in said
    assert path.read_bytes() == b"old"


def test_a_file_where_a_folder_should_be_is_a_storage_error(tmp_path: Path):
    (tmp_path / "data").write_text("no folder")

    with pytest.raises(StorageError, match="cannot write"):
        write_bytes(str(tmp_path / "data" / "note"), b"x")
