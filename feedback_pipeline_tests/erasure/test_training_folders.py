"""Work folders of trainings: no kill and no full folder hides one that still holds what a user wrote."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from feedback_pipeline.erasure.erase import finish_open_erasures, would_erase
from feedback_pipeline.erasure.in_training import ERASED_PREFIX, TrainingPlace
from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Interaction, Store, UserTexts, any_open_erasure, record_many, request_erasure
from feedback_pipeline.tables.files import StorageError
from feedback_pipeline.tables.stages import StageTables
from feedback_pipeline_tests.store.running import start
from feedback_pipeline_tests.store.samples import settings_at

ANN = "ann@example.com"
NEEDLE = "zanzibarland"

KILLED = """
import os, signal
from feedback_pipeline.erasure import in_training
from feedback_pipeline.erasure.erase import finish_open_erasures
from feedback_pipeline.settings import get_settings
from feedback_pipeline.store import open_store

in_training.shutil.rmtree = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
finish_open_erasures(get_settings(), open_store(get_settings()))
"""


@pytest.fixture
def settings(sqlite_store: Store, tmp_path: Path) -> Settings:
    """Ann has asked something and wants to be erased; a training with her words was killed, and a base is exported."""
    settings = settings_at(tmp_path / "sqlite")
    record_many(sqlite_store, [Interaction("rag", f"how many rivers cross {NEEDLE}", user_id=ANN)])
    request_erasure(sqlite_store, sqlite_store.hash_user(ANN))
    work = settings.local_root / "training" / "reranker"
    for name in ("0123456789abcdef", "base-e5-192"):
        (work / name / "checkpoints").mkdir(parents=True)
        (work / name / "checkpoints" / "trainer_state.json").write_text("{}")
    (work / "0123456789abcdef" / "triplets.json").write_text(NEEDLE)
    return settings


@pytest.fixture
def place(tmp_path: Path) -> TrainingPlace:
    (tmp_path / "training" / "reranker").mkdir(parents=True)
    return TrainingPlace(tmp_path / "training", StageTables(str(tmp_path)))


def subject(*interaction_ids: int) -> Subject:
    return Subject("u", frozenset(), frozenset(interaction_ids), frozenset(), UserTexts(), str)


def work_folders(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.local_root / "training" / "reranker").iterdir())


def test_killed_before_a_folder_is_gone_the_next_attempt_finds_and_removes_it(
    sqlite_store: Store, settings: Settings
) -> None:
    process = start(KILLED, settings)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, said
    aside, base = work_folders(settings)
    assert aside.startswith(ERASED_PREFIX)
    assert base == "base-e5-192"
    assert would_erase(settings, sqlite_store, sqlite_store.hash_user(ANN))["found"]["training"] == {"work_folders": 1}

    [receipt] = finish_open_erasures(settings, sqlite_store)

    assert work_folders(settings) == ["base-e5-192"]
    assert receipt["removed"]["training"] == {"work_folders": 1, "resumed": True}
    assert receipt["verification"]["total"] == 0
    assert not any_open_erasure(sqlite_store)


def test_what_another_erasure_has_left_goes_too_and_is_nobody_elses_finding(place: TrainingPlace) -> None:
    left = place.folder / "reranker" / f"{ERASED_PREFIX}0"
    (left / "checkpoints").mkdir(parents=True)
    (place.folder / "reranker" / "base-e5-192").mkdir()
    (place.folder / "reranker" / "0123456789abcdef").mkdir()

    assert place.find(subject()) == {}
    assert place.leftovers(subject()) == 1
    place.remove(subject())

    assert place.leftovers(subject()) == 0
    assert sorted(path.name for path in (place.folder / "reranker").iterdir()) == ["0123456789abcdef", "base-e5-192"]


def test_files_that_appear_while_a_folder_is_removed_are_removed_as_well(place: TrainingPlace) -> None:
    work = place.folder / "reranker" / "0123456789abcdef"
    work.mkdir()
    for number in range(500):
        (work / f"{number}").write_text(NEEDLE)
    opened, ends = os.open(work, os.O_RDONLY), time.monotonic() + 0.5

    def write() -> None:
        # What is opened by the folder's handle follows it wherever it is renamed to, until it is gone.
        while time.monotonic() < ends:
            try:
                os.close(os.open("late", os.O_CREAT | os.O_WRONLY, dir_fd=opened))
            except FileNotFoundError:
                return

    writing = threading.Thread(target=write)
    writing.start()
    removed = place.remove(subject(1))
    writing.join()
    os.close(opened)

    assert removed == {"work_folders": 1}
    assert list((place.folder / "reranker").iterdir()) == []


def test_a_folder_that_cannot_be_removed_keeps_the_erasure_open(
    sqlite_store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.rmdir

    def refusing(path: str, **more: int | None) -> None:
        # Root, as which tests may run, is refused nothing.
        if Path(path).name == "checkpoints":
            raise PermissionError(13, "Permission denied", path)
        real(path, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rmdir", refusing)
        with pytest.raises(StorageError, match=r"cannot remove .*/training/.*Permission denied.* stays open"):
            finish_open_erasures(settings, sqlite_store)
    assert any_open_erasure(sqlite_store)
    assert [name.startswith(ERASED_PREFIX) for name in work_folders(settings)] == [True, False]

    [receipt] = finish_open_erasures(settings, sqlite_store)

    assert receipt["verification"]["total"] == 0
    assert work_folders(settings) == ["base-e5-192"]
