"""Stored tables of the stages: replaced at once, partition by partition, on any filesystem."""

import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pyarrow as pa
import pytest

from feedback_pipeline.tables.files import StorageError
from feedback_pipeline.tables.parquet import parquet_bytes
from feedback_pipeline.tables.stages import StageTables

SCHEMA = pa.schema([pa.field("n", pa.int64())])
ENDLESS_WRITER = """
import sys
import pyarrow as pa
from feedback_pipeline.tables.stages import StageTables
tables = StageTables(sys.argv[1])
for number in range(10**9):
    tables.write("numbers", pa.table({"n": [number] * 1_000}))
"""
WRITER_WITH_LITTLE_SPACE = """
import resource, sys
import pyarrow as pa
from feedback_pipeline.tables.files import StorageError
from feedback_pipeline.tables.stages import StageTables
resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))
try:
    StageTables(sys.argv[1]).write("numbers", pa.table({"n": [n * n * 7919 % 104729 for n in range(50_000)]}))
except StorageError as error:
    print("refused")
"""


def numbers(*values: int) -> pa.Table:
    return pa.table({"n": list(values)}, schema=SCHEMA)


@pytest.fixture(params=["disk", "memory"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> StageTables:
    return StageTables(str(tmp_path) if request.param == "disk" else f"memory://{uuid.uuid4().hex}")


def test_a_table_comes_back_with_its_notes(tables: StageTables):
    stored = tables.write("numbers", numbers(1, 2), notes={"why": "test"})

    assert tables.read_partition("numbers") == numbers(1, 2)
    assert tables.describe("numbers") == stored
    assert (stored.rows, stored.notes) == (2, {"why": "test"})


def test_the_table_just_replaced_stays_for_its_readers_and_older_ones_go(tmp_path: Path):
    tables = StageTables(str(tmp_path))
    oldest = tables.write("numbers", numbers(1))
    old = tables.write("numbers", numbers(2))

    new = tables.write("numbers", numbers(3))

    assert tables.read_partition("numbers") == numbers(3)
    assert [Path(table.path).exists() for table in (oldest, old, new)] == [False, True, True]


def test_a_stored_table_without_rows_keeps_its_columns(tmp_path: Path):
    tables = StageTables(str(tmp_path))
    tables.write("numbers", numbers())

    frame = tables.read("numbers", pa.schema([]))

    assert frame.column_names == numbers().column_names


def test_equal_content_has_equal_digest_and_keeps_the_file_but_takes_new_notes(tables: StageTables):
    first = tables.write("numbers", numbers(1), notes={"run": 1})
    second = tables.write("numbers", numbers(1), notes={"run": 2})

    described = tables.describe("numbers")
    assert (first.path, first.digest) == (second.path, second.digest)
    assert described is not None
    assert described.notes == {"run": 2}


def test_partitions_are_listed_in_order_and_read_together(tables: StageTables):
    for day, value in (("2026-01-02", 2), ("2026-01-01", 1), ("2026-01-03", 3)):
        tables.write("numbers", numbers(value), day)
    tables.write("others", numbers(9))

    assert tables.partitions("numbers") == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert tables.read_partition("numbers", "2026-01-02") == numbers(2)


def test_all_partitions_read_as_one_frame_without_the_empty_ones(tmp_path: Path):
    tables = StageTables(str(tmp_path))
    for day, table in (("a", numbers(1)), ("b", numbers()), ("c", numbers(3))):
        tables.write("numbers", table, day)

    assert tables.read("numbers", SCHEMA).sort("n").to_pydict() == {"n": [1, 3]}


def test_nothing_stored_reads_as_nothing(tables: StageTables):
    assert tables.describe("numbers") is None
    assert tables.read_partition("numbers") is None
    assert tables.partitions("numbers") == []
    assert tables.read("numbers", SCHEMA).to_arrow().num_rows == 0


def test_a_killed_writer_leaves_a_whole_table_that_can_be_replaced(tmp_path: Path):
    tables, seen = StageTables(str(tmp_path)), set()
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", ENDLESS_WRITER, str(tmp_path)])
        try:
            for _ in range(60):
                threading.Event().wait(0.02)
                table = tables.read_partition("numbers")
                if table is not None:
                    assert table.num_rows == 1_000
                    assert len(table["n"].unique()) == 1
                    seen.add(table["n"][0].as_py())
        finally:
            writer.kill()
            writer.wait()
        tables.write("numbers", numbers(-1))
        assert tables.read_partition("numbers") == numbers(-1)
        tables.write("numbers", pa.table({"n": [0] * 1_000}))
    assert len(seen) > 1


def test_a_reader_beside_a_writer_always_sees_a_whole_table(tmp_path: Path):
    tables, stop = StageTables(str(tmp_path)), threading.Event()
    tables.write("numbers", numbers(0, 0))

    def write_on() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            tables.write("numbers", numbers(number, number))

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        read = [tables.read_partition("numbers") for _ in range(400)]
    finally:
        stop.set()
        writer.join()

    assert all(table is not None and table["n"][0] == table["n"][1] for table in read)


def test_a_full_disk_leaves_the_former_table_current(tmp_path: Path):
    tables = StageTables(str(tmp_path))
    tables.write("numbers", numbers(1))

    command = [sys.executable, "-c", WRITER_WITH_LITTLE_SPACE, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said == "refused\n"
    assert tables.read_partition("numbers") == numbers(1)


def test_a_root_that_is_no_folder_is_a_storage_error(tmp_path: Path):
    (tmp_path / "data").write_text("no folder")

    with pytest.raises(StorageError):
        StageTables(str(tmp_path / "data")).write("numbers", numbers(1))


def test_a_table_whose_file_is_gone_is_missed_and_not_silently_empty(tmp_path: Path):
    tables = StageTables(str(tmp_path))
    Path(tables.write("numbers", numbers(1)).path).unlink()

    with pytest.raises(FileNotFoundError):
        tables.read_partition("numbers")


def test_equal_tables_are_equal_bytes_however_they_are_chunked():
    whole = numbers(1, 2, 3)
    chunked = pa.concat_tables([numbers(1), numbers(2, 3)])

    assert parquet_bytes(whole) == parquet_bytes(chunked)


@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_rewriting_keeps_the_notes_and_no_former_content(tmp_path: Path, kind: str):
    tables = StageTables(str(tmp_path) if kind == "disk" else f"memory://{uuid.uuid4().hex}")
    tables.write("numbers", numbers(1, 2), "2026-01-01")
    tables.write("numbers", numbers(1, 2, 3), "2026-01-01", {"event_seq": 7})
    assert len(tables.files()) == 2

    stored = tables.rewrite("numbers", "2026-01-01", numbers(1, 3))

    assert (stored.rows, stored.notes) == (2, {"event_seq": 7})
    assert tables.describe("numbers", "2026-01-01") == stored
    [file] = tables.files()
    assert tables.read_file(file).equals(numbers(1, 3))
    assert tables.stages() == ["numbers"]
    assert tables.drop_former("numbers", "2026-01-01") == 0


def test_former_contents_and_what_killed_writers_left_are_dropped(tmp_path: Path):
    tables = StageTables(str(tmp_path))
    tables.write("numbers", numbers(1))
    stored = tables.write("numbers", numbers(2))
    (Path(stored.path).parent / ".abc.parquet.12-3.tmp").write_bytes(b"rows")

    assert tables.drop_former("numbers", "all") == 1

    assert sorted(path.name for path in Path(stored.path).parent.iterdir()) == [
        Path(stored.path).name,
        "current.json",
    ]
