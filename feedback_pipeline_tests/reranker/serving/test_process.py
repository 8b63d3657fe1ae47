"""The process that a Reranker lives in: its threads, forks, size and end."""

import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from feedback_pipeline.reranker import Reranker
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline_tests.reranker.models import WHO
from feedback_pipeline_tests.reranker.serving.looking import (
    REFUND_FIRST,
    SHOP_FIRST,
    eventually,
    order,
)


def test_a_reranker_that_is_let_go_or_closed_leaves_no_thread(registry: ModelRegistry, tmp_path: Path):
    def following() -> int:
        return sum(thread.name == "follow-production" for thread in threading.enumerate())

    def ends() -> bool:
        deadline = time.monotonic() + 20
        while following() and time.monotonic() < deadline:
            time.sleep(0.01)
        return following() == 0

    reranker = Reranker.open("production", tmp_path, refresh_seconds=60)
    assert following() == 1
    reranker.close()
    assert ends()
    assert order(reranker) == REFUND_FIRST
    reranker = Reranker.open("production", tmp_path, refresh_seconds=60)
    assert following() == 1
    del reranker
    assert ends()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_process_ranks_and_follows_too(registry: ModelRegistry, tmp_path: Path):
    reranker = Reranker.open("production", tmp_path, refresh_seconds=0.05)
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def work() -> None:
        sender.send(order(reranker))
        eventually(reranker, 2)
        sender.send(order(reranker))

    follower = reranker._follower
    assert follower
    with follower._looking:
        child = multiprocessing.get_context("fork").Process(target=work, daemon=True)
        child.start()
    assert receiver.poll(60)
    before = receiver.recv()
    registry.promote(2, **WHO)
    assert receiver.poll(60)
    after = receiver.recv()
    child.join(60)
    reranker.close()

    assert (before, after, child.exitcode) == (REFUND_FIRST, SHOP_FIRST, 0)


PROGRAM = """
import json, sys, time
started = time.process_time()
from feedback_pipeline.reranker import Reranker
Reranker.open
imported = time.process_time() - started
reranker = Reranker.open("production", sys.argv[1], refresh_seconds=0.02)
ranked = reranker.rank("refund shop", ["nothing of the kind", "a refund", "the shop"])
print(json.dumps([imported, sorted({name.split(".")[0] for name in sys.modules}), ranked[0]["corpus_id"]]))
"""


def test_the_process_is_small_quick_to_start_and_ends(registry: ModelRegistry, tmp_path: Path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]

    runs = [subprocess.run(command, capture_output=True, text=True, check=True, timeout=60) for _ in range(2)]

    results = [json.loads(run.stdout) for run in runs]
    assert min(seconds for seconds, _, _ in results) < 0.5
    heavy = {"torch", "transformers", "sentence_transformers", "sqlalchemy", "daft", "pandas", "dagster", "lancedb"}
    assert set(results[0][1]).isdisjoint(heavy | {"pyarrow", "sklearn", "scipy", "onnxruntime"})
    assert [first for _, _, first in results] == [1, 1]
    assert [run.stderr for run in runs] == ["", ""]
