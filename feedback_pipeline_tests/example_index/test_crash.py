"""A process killed while it publishes: what readers see stays whole, and the next publish succeeds."""

import random
import subprocess
import sys
import threading
from pathlib import Path

from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline.retrieval import Retriever
from feedback_pipeline_tests.encoders import TinyEncoder
from feedback_pipeline_tests.example_index.samples import embedded, questions

PUBLISHES_WITHOUT_END = """
import itertools, sys, tempfile
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline_tests.encoders import TinyEncoder
from feedback_pipeline_tests.example_index.samples import embedded
root, start = sys.argv[1], int(sys.argv[2])
encoders = [TinyEncoder(root, "tiny"), TinyEncoder(root, "tiny two")]
def put(catalog, number):
    encoder = encoders[number // 3 % 2]
    examples = [("shop", f"question {n}", f"SELECT {number}") for n in range(50 + number % 7)]
    publish(catalog, embedded(encoder, *examples), encoder.fingerprint)
with tempfile.TemporaryDirectory() as scratch:
    put(IndexCatalog(scratch), 0)
print("ready", flush=True)
for number in itertools.count(start):
    put(IndexCatalog(root), number)
"""


def publish_and_be_killed(root: str, start: int, after_seconds: float) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", PUBLISHES_WITHOUT_END, root, str(start)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        threading.Event().wait(after_seconds)
    finally:
        writer.kill()
        writer.wait()


def assert_live_is_one_whole_publication(root: str) -> None:
    catalog = IndexCatalog(root)
    live = catalog.live()
    if live is None:
        # The very first publication was tagged and not yet made live.
        assert len(catalog.publications()) <= 1
        return
    answers = catalog.open_publication(live).search().limit(None).to_arrow()["sql"].to_pylist()
    assert len(answers) == live.rows
    if "SELECT 'tea'" not in answers:
        (sql,) = set(answers)
        assert len(answers) == 50 + int(sql.removeprefix("SELECT ")) % 7
    assert Retriever(root).similar("question 3", database_id="shop", min_score=-1)[0].score == 1.0


def test_after_a_kill_live_is_whole_and_the_next_publish_gives_what_was_asked(tmp_path: Path):
    root, moments = str(tmp_path), random.Random(7)
    encoder = TinyEncoder(root)
    for attempt in range(4):
        publish_and_be_killed(root, start=100 * attempt, after_seconds=moments.uniform(0.0, 0.6))

        assert_live_is_one_whole_publication(root)
        asked = embedded(encoder, *questions(20 + attempt), ("bank", "tea"))
        result = publish(IndexCatalog(root), asked, encoder.fingerprint)
        assert result.publication.rows == 21 + attempt
        retriever = Retriever(root)
        found = retriever.similar("question 3", database_id="shop", k=30, min_score=-1)
        assert len(found) == 20 + attempt
        assert (found[0].natural_query, found[0].sql, found[0].score) == ("question 3", "SELECT 'question 3'", 1.0)
        assert [example.natural_query for example in retriever.similar("x", database_id="bank", min_score=-1)] == [
            "tea"
        ]
