"""A new process to its first examples, beside importing what one would use instead; and what it then holds."""

import json
import subprocess
import sys

from benchmarks.retrieval.examples import database_name, question_text
from benchmarks.retrieval.results import Goal, Result, p50, timed
from benchmarks.retrieval.world import World

_ROUNDS = 5
_FIRST_RESULT = """
import sys
from feedback_pipeline.retrieval import Retriever
retriever = Retriever(sys.argv[1])
assert retriever.similar(sys.argv[2], database_id=sys.argv[3], k=3, min_score=-1)
"""
_PEER = "import sentence_transformers, lancedb"
_ALL_DATABASES = """
import json, sys
from feedback_pipeline.retrieval import Retriever
retriever = Retriever(sys.argv[1])
for name in json.loads(sys.argv[3]):
    assert retriever.similar(sys.argv[2], database_id=name, k=3, min_score=-1), name
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps([int(status["VmRSS"].split()[0]), int(status["VmHWM"].split()[0]), "torch" in sys.modules]))
"""
OURS, PEER = "ours, to the first examples", _PEER


def measure(world: World) -> Result:
    """Return the wall time of whole processes in turns, and resident memory with every database touched."""
    first = [_FIRST_RESULT, world.root, question_text(0), database_name(0)]
    seconds: dict[str, list[float]] = {OURS: [], PEER: []}
    for _ in range(_ROUNDS):
        seconds[OURS].append(timed(_run, first))
        seconds[PEER].append(timed(_run, [_PEER]))
    names = [database_name(number) for number in range(world.databases)]
    resident, peak, torch = json.loads(_run([_ALL_DATABASES, world.root, question_text(0), json.dumps(names)]))
    goals = [Goal(f"ours / {PEER}", p50(seconds[OURS]) / p50(seconds[PEER]), 0.4), Goal("torch loaded", torch, 0)]
    memory = f"resident memory with {len(names)} databases asked: {resident / 1024:.0f} MiB, peak {peak / 1024:.0f} MiB"
    if world.embedded.num_rows <= 100_000:
        goals.append(Goal("resident MB", resident * 1024 / 1e6, 600))
    return Result("cold start, whole process", seconds, goals, [memory])


def _run(arguments: list[str]) -> bytes:
    return subprocess.run([sys.executable, "-c", *arguments], check=True, capture_output=True).stdout
