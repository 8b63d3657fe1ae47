"""Kills and full disks: a model is whole or not there, and one of two is in production."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from feedback_pipeline.reranker.models.model import Model
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline_tests.reranker.models import DOCUMENTS, WHO, add_model, facts, write_model
from feedback_pipeline_tests.reranker.registry.looking import in_production
from feedback_pipeline_tests.store.running import ROOT

ACTOR = """
import os, resource, signal, sys
from pathlib import Path
from feedback_pipeline.finetune.publishing import staging
from feedback_pipeline.reranker.models import adding, promotion
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.tables import files
from feedback_pipeline.tables.files import StorageError
from feedback_pipeline_tests.reranker.models import WHO, DOCUMENTS, facts

root, work, action, moment, room = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
steps = iter(range(10_000))

def dying(function):
    def call(*arguments, **more):
        # Before and after each step.
        for when in range(2):
            if next(steps) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            if not when:
                done = function(*arguments, **more)
        return done
    return call

os.fsync = dying(os.fsync)
os.replace = dying(os.replace)
Path.replace, Path.rename = dying(Path.replace), dying(Path.rename)
adding.shutil.copyfile = dying(adding.shutil.copyfile)
if room:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
registry = ModelRegistry(root)
try:
    if action == "add":
        registry.add(work, DOCUMENTS, facts("new"))
    else:
        registry.promote(2, reason="test", by="test")
except StorageError as error:
    sys.exit(str(error))
os._exit(0)
"""


def act(root: Path, action: str, *, dies_at: int = -1, room: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ACTOR, str(root), str(root / "work-new"), action, str(dies_at), str(room)]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)


def seen(registry: ModelRegistry) -> list[Model]:
    models = registry.models()
    assert not [problem for model in models for problem in model.problems()]
    return models


def test_killed_at_any_step_of_a_promotion_one_of_the_two_is_in_production(tmp_path: Path):
    moment, ends = 0, []
    while True:
        root = tmp_path / str(moment)
        for key in ("k1", "k2"):
            add_model(root, root, key)
        registry = ModelRegistry(str(root))
        registry.promote(1, **WHO)

        outcome = act(root, "promote", dies_at=moment)

        ends.append(in_production(registry))
        pointer = registry.production_pointer()
        assert pointer
        assert pointer.version == pointer.history[-1].version
        registry.promote(2, **WHO)
        assert in_production(registry) == 2
        if outcome.returncode == 0:
            break
        assert outcome.returncode == -9, outcome.stderr
        moment += 1
    assert ends == sorted(ends)
    assert set(ends) == {1, 2}
    assert moment >= 4


def test_killed_at_any_step_of_adding_the_model_is_whole_or_not_there(tmp_path: Path):
    moment, counts = 0, []
    while True:
        root = tmp_path / str(moment)
        add_model(root, root, "k1")
        registry = ModelRegistry(str(root))
        registry.promote(1, **WHO)
        write_model(root / "work-new")

        outcome = act(root, "add", dies_at=moment)

        counts.append(len(seen(registry)))
        assert in_production(registry) == 1
        assert registry.add(root / "work-new", DOCUMENTS, facts("new")).version == 2
        assert sorted(path.name for path in Path(registry.root).glob("*v*")) == ["v1", "v2"]
        if outcome.returncode == 0:
            break
        assert outcome.returncode == -9, outcome.stderr
        moment += 1
    assert counts == sorted(counts)
    assert set(counts) == {1, 2}
    assert moment >= 8


@pytest.mark.parametrize(("action", "room"), [("add", 10), ("add", 300), ("promote", 100)])
def test_a_full_disk_is_a_clear_error_and_production_is_untouched(tmp_path: Path, action: str, room: int):
    for key in ("k1", "k2"):
        add_model(tmp_path, tmp_path, key)
    registry = ModelRegistry(str(tmp_path))
    registry.promote(1, **WHO)
    write_model(tmp_path / "work-new")

    outcome = act(tmp_path, action, room=room)

    assert outcome.returncode == 1, outcome.stderr
    assert "cannot write" in outcome.stderr
    assert "free space" in outcome.stderr
    assert len(seen(registry)) == 2
    assert in_production(registry) == 1
    assert sorted(path.name for path in Path(registry.root).glob("*v*")) == ["v1", "v2"]
