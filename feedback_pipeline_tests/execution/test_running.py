import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from feedback_pipeline.execution import Evidence, Limits, Pair, Target, evidence_of, is_executable, running
from feedback_pipeline_tests.execution.samples import ENDLESS, LIMITS, evidence, sqlite_file
from feedback_pipeline_tests.store.running import ROOT


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return sqlite_file(tmp_path / "shop.sqlite")


def many(count: int) -> list[Pair]:
    return [
        Pair("shop", f"SELECT id + {n // 3} FROM orders", f"SELECT id + {n} FROM orders", ("orders",))
        for n in range(count)
    ]


def on(path: Path) -> dict[str, Target]:
    return {"shop": Target("shop", "sqlite", str(path))}


def as_json(found: dict[Pair, Evidence]) -> str:
    return json.dumps([each.document() for each in found.values()], sort_keys=True)


def test_endless_queries_delay_only_themselves(shop: Path) -> None:
    endless = [Pair("shop", f"SELECT id - {n} FROM orders", f"{ENDLESS} WHERE i > -{n}") for n in range(3)]
    pairs = [pair for n, pair in enumerate(many(200)) if n % 70 != 5] + endless
    seen: list[tuple[float, int]] = []
    started = time.monotonic()

    found = evidence_of(pairs, on(shop), LIMITS, lambda done, total: seen.append((time.monotonic() - started, done)))

    assert next(at for at, done in seen if done >= len(pairs) - 3) < LIMITS.timeout_s
    assert time.monotonic() - started < 2 * LIMITS.timeout_s
    assert [found[pair].reason for pair in endless] == ["the generated SQL does not end in time"] * 3


def test_many_corrections_of_one_endless_query_wait_for_it_once(shop: Path) -> None:
    pairs = [Pair("shop", f"SELECT id + {n} FROM orders", ENDLESS) for n in range(100)]
    started = time.monotonic()

    found = evidence_of(pairs, on(shop), LIMITS)

    assert time.monotonic() - started < 2 * LIMITS.timeout_s
    assert {each.results_equal for each in found.values()} == {None}


def test_queries_run_at_the_same_time(shop: Path) -> None:
    endless = [Pair("shop", f"{ENDLESS} WHERE i > -{n}") for n in range(LIMITS.workers)]
    started = time.monotonic()

    evidence_of(endless, on(shop), LIMITS)

    assert time.monotonic() - started < 1.8 * LIMITS.timeout_s


def test_the_same_input_gives_the_same_bytes_however_many_work(shop: Path) -> None:
    one, other = (evidence_of(many(60), on(shop), replace(LIMITS, workers=workers)) for workers in (1, 8))

    assert list(one) == list(other) == many(60)
    assert as_json(one) == as_json(other)


def test_results_that_find_no_room_are_run_again(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = evidence_of(many(30), on(shop), LIMITS)
    monkeypatch.setattr(running, "KEPT_BYTES", 3_000)

    assert as_json(evidence_of(many(30), on(shop), LIMITS)) == as_json(expected)


def test_progress_is_reported_up_to_the_end(shop: Path) -> None:
    seen: list[tuple[int, int]] = []

    evidence_of([*many(20), *many(20)], on(shop), LIMITS, lambda done, total: seen.append((done, total)))

    assert seen == sorted(seen)
    assert seen[-1] == (20, 20)


def test_nothing_to_do_is_done_at_once() -> None:
    assert evidence_of([], {}, LIMITS) == {}


def test_more_databases_than_workers(tmp_path: Path) -> None:
    targets = {}
    for number in range(12):
        script = f"CREATE TABLE t (a); INSERT INTO t VALUES ({number});"
        targets[f"d{number}"] = Target(f"d{number}", "sqlite", str(sqlite_file(tmp_path / f"{number}.sqlite", script)))
    pairs = [Pair(name, "SELECT a FROM t", f"SELECT {name[1:]} AS x") for name in targets]

    found = evidence_of(pairs, targets, replace(LIMITS, workers=2))

    assert all(each.results_equal for each in found.values())


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        (
            {},
            "unverifiable by execution: database 'shop' has no URL to run on; add one with 'feedback-pipeline data",
        ),
        ({"shop": Target("shop", "sqlite")}, "unverifiable by execution: database 'shop' has no URL to run on"),
        (
            {"shop": Target("shop", "mysql", "mysql+pymysql://me:secret@host/db")},
            "unverifiable by execution: execution is supported for SQLite, Postgres and DuckDB, not for mysql",
        ),
    ],
)
def test_where_nothing_can_run_the_evidence_says_why(targets: dict[str, Target], why: str) -> None:
    pair = Pair("shop", "SELECT 1", "SELECT 2")

    found = evidence_of([pair], targets, LIMITS)[pair]

    assert (found.outcome, found.results_equal, found.transient) == ("not_checked", None, False)
    assert found.detail.startswith(why)
    assert found.corrected == found.generated == {"outcome": "not_run"}
    assert "secret" not in found.detail


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@host:not-a-port/db", "://secret", "sqlite://", "sqlite:///:memory:", "duckdb:///"]
)
def test_a_url_that_leads_nowhere_is_tried_again_and_stays_secret(url: str) -> None:
    found = evidence(url, "SELECT 1")

    assert (found.outcome, found.transient) == ("not_checked", True)
    assert "correct" in found.detail
    assert "secret" not in str(found)


def test_which_urls_can_be_run_on() -> None:
    assert is_executable("shop.sqlite")
    assert is_executable("duckdb:///shop.duckdb")
    assert is_executable("postgresql+psycopg://reader@host/db")
    assert not is_executable("mysql://reader@host/db")
    assert not is_executable(None)


def test_a_password_does_not_show_in_a_target() -> None:
    assert "secret" not in repr(Target("shop", "postgres", "postgresql://me:secret@host/db"))


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_ctrl_c_ends_what_runs(tmp_path: Path, engine: str) -> None:
    path = sqlite_file(tmp_path / "shop.sqlite")
    if engine == "duckdb":
        import duckdb

        path = tmp_path / "shop.duckdb"
        duckdb.connect(path).close()
    code = f"""
from feedback_pipeline.execution import Limits, Pair, Target, evidence_of
pairs = [Pair("shop", "{ENDLESS} WHERE i > -%d" % n) for n in range(20)]
print("begins", flush=True)
evidence_of(pairs, {{"shop": Target("shop", "{engine}", "{engine}:///{path}")}}, Limits(300, 10, 100000, 1, 2))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(2)
    process.send_signal(signal.SIGINT)

    _, errors = process.communicate(timeout=30)

    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors


def test_a_worker_that_is_alone_is_enough(shop: Path) -> None:
    found = evidence_of(many(10), on(shop), Limits(2.0, 10, 1_000_000, 1, 1))

    assert len(found) == 10
