import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_pipeline.intake import json_lists, readers
from feedback_pipeline.intake.readers import read_rows
from feedback_pipeline.intake.rows import InputFileError
from feedback_pipeline_tests.intake.files import write_lines

ROWS = [{"id": "a", "n": "1"}, {"id": "ü", "n": "2"}]


def records(path: Path) -> list[object]:
    return [row.record for row in read_rows(path)]


def defects(path: Path) -> dict[int, str | None]:
    return {row.number: row.defect for row in read_rows(path) if row.record is None}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows.jsonl.gz", "ROWS.JSONL"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    assert records(write_lines(tmp_path / name, *ROWS)) == ROWS


def test_line_numbers_count_blank_lines_and_a_byte_order_mark_is_no_defect(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": 1}\r\n\r\n{"id": 2}')
    assert [(row.number, row.record) for row in read_rows(path)] == [(1, {"id": 1}), (3, {"id": 2})]


def test_bad_lines_are_defects_and_the_next_ones_are_read(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "rows.jsonl",
        '{"id": ',
        "[1]",
        b'{"id": "\xff"}',
        b'{"id": "a\x00b"}',
        "[" * 200_000,
        '{"n": ' + "9" * 5_000 + "}",
        {"id": "good"},
    )
    found = defects(path)
    assert records(path)[-1] == {"id": "good"}
    assert list(found) == [1, 2, 3, 4, 5, 6]
    for number, part in {1: "not JSON", 2: "JSON list", 3: "not UTF-8", 4: "not JSON", 5: "too deeply"}.items():
        assert part in str(found[number])


def test_a_line_too_long_to_hold_is_a_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_LINE_BYTES", 100)
    path = write_lines(tmp_path / "rows.jsonl", {"id": "x" * 1_000}, {"id": "good"})
    assert defects(path) == {1: "the line is longer than 100 bytes"}
    assert records(path)[1] == {"id": "good"}


def test_json_list_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lists, "CHARS_PER_READ", 3)
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([*ROWS, 12345, {"deep": [{"a": [1, 2]}]}], indent=2))
    assert records(path) == [*ROWS, None, {"deep": [{"a": [1, 2]}]}]
    assert defects(path) == {3: "is a JSON int, expected an object"}


def test_empty_files_have_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(" [ ] ")
    (tmp_path / "a.jsonl").write_text("")
    assert records(tmp_path / "a.json") == records(tmp_path / "a.jsonl") == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [('{"id": 1}', "no JSON list"), ('[{"id": 1} {"id": 2}]', "item 1"), ('[{"id": 1}, {"id"', "item 2")],
)
def test_json_that_is_no_list_is_an_error(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "rows.json").write_text(content)
    with pytest.raises(InputFileError, match=problem):
        records(tmp_path / "rows.json")


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_csv(tmp_path: Path, name: str) -> None:
    content = '\ufeffid,n\r\na,"1\n2"\r\n\r\nü,"say ""hi"""\r\n'.encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    found = [(row.number, row.record) for row in read_rows(path)]
    assert found == [(2, {"id": "a", "n": "1\n2"}), (5, {"id": "ü", "n": 'say "hi"'})]


def test_bad_csv_records_are_defects(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b'id,n\na,1,2\nb\n"c"x,3\nd,4\ne,"5')
    assert {n: str(defect)[:9] for n, defect in defects(path).items()} == {
        2: "has 3 fie",
        3: "has 1 fie",
        4: "is not CS",
        6: "is not CS",
    }
    assert {"id": "d", "n": "4"} in records(path)


def test_csv_takes_big_fields(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"id,n\na,{'x' * 1_000_000}\n")
    assert records(path) == [{"id": "a", "n": "x" * 1_000_000}]


@pytest.mark.parametrize(("content", "problem"), [("", "no header"), ("a,b,a\n", "names a more than once")])
def test_a_csv_header_that_cannot_be_used_is_an_error(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "rows.csv").write_text(content)
    with pytest.raises(InputFileError, match=problem):
        records(tmp_path / "rows.csv")


def test_parquet(tmp_path: Path) -> None:
    moment = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
    table = pa.table({"id": ["a", None], "at": pa.array([moment, None], pa.timestamp("ns", tz="UTC"))})
    pq.write_table(table, tmp_path / "rows.parquet")
    assert records(tmp_path / "rows.parquet") == [{"id": "a", "at": moment}, {"id": None, "at": None}]


@pytest.mark.parametrize("name", ["missing.jsonl", "folder", "rows.txt", "rows.parquet.gz", "rows"])
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    for existing in ("rows.txt", "rows.parquet.gz", "rows"):
        (tmp_path / existing).write_text("x")
    with pytest.raises(InputFileError, match=name):
        records(tmp_path / name)


def test_broken_containers_are_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b'{"id": "%d"}\n' % n for n in range(50_000)))
    broken = {
        "cut.jsonl.gz": whole[: len(whole) // 2],
        "plain.jsonl.gz": b'{"id": 1}\n',
        "bits.jsonl.gz": whole[:200] + b"\xff" * 50 + whole[250:],
        "no.parquet": b"PAR1 not really",
        "utf16.jsonl": '{"id": 1}'.encode("utf-16"),
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputFileError, match=name):
            records(tmp_path / name)


def test_rows_before_the_cut_are_handed_on(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b'{"id": "%d"}\n' % n for n in range(50_000)))
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    assert next(read_rows(tmp_path / "cut.jsonl.gz")).record == {"id": "0"}
