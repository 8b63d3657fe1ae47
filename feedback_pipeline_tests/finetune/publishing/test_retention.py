"""Which versions keep their data, and what is left of the others."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from feedback_pipeline.finetune.catalog import ReleaseCatalog, RevokedReleaseError, UnknownReleaseError
from feedback_pipeline.finetune.membership import DatasetMembership
from feedback_pipeline.finetune.publishing.retention import (
    DamagedPinsError,
    is_retired,
    pin,
    pinned,
    prune,
    surplus,
    unpin,
)
from feedback_pipeline.tables.publishing import only_publisher
from feedback_pipeline_tests.finetune.written import left_in, revoke, write_release
from feedback_pipeline_tests.store.running import ROOT

NAME = "text2sql"


@pytest.fixture
def catalog(tmp_path: Path) -> ReleaseCatalog:
    """Versions 1 to 6."""
    for version in range(1, 7):
        write_release(tmp_path, version)
    return ReleaseCatalog(str(tmp_path))


def held(catalog: ReleaseCatalog, name: str = NAME) -> list[int]:
    return [release.version for release in catalog.releases(name) if not release.revoked]


def test_the_newest_versions_keep_their_data(catalog: ReleaseCatalog) -> None:
    assert prune(catalog, NAME, keep=2) == [1, 2, 3, 4]

    assert held(catalog) == [5, 6]
    assert len(left_in(catalog.find("text2sql@v5"))) == 6
    assert catalog.latest(NAME) == catalog.find("text2sql@v6")


def test_a_retired_version_keeps_manifest_and_card_and_names_the_one_to_take(catalog: ReleaseCatalog) -> None:
    before = catalog.find("text2sql@v1").manifest

    prune(catalog, NAME, keep=2)

    old = catalog.look_up("text2sql@v1")
    assert left_in(old) == ["README.md", "manifest.json"]
    assert {key: value for key, value in old.manifest.items() if key != "revoked"} == before
    assert is_retired(old)
    assert "retired" in Path(old.path, "README.md").read_text()
    with pytest.raises(RevokedReleaseError, match=r"retention, keep 2.*take text2sql@v6"):
        catalog.find("text2sql@v1")


@pytest.mark.parametrize("keep", [0, 6, 30])
def test_nothing_goes_where_all_may_stay(catalog: ReleaseCatalog, keep: int) -> None:
    assert prune(catalog, NAME, keep) == []

    assert held(catalog) == [1, 2, 3, 4, 5, 6]


def test_pinned_and_protected_versions_stay_beside_the_newest(catalog: ReleaseCatalog) -> None:
    pin(catalog, "text2sql@v2", "the paper")

    assert prune(catalog, NAME, keep=2, protected={3}) == [1, 4]

    assert held(catalog) == [2, 3, 5, 6]
    assert pinned(catalog, NAME) == {2: "the paper"}


def test_what_latest_points_at_stays_although_newer_versions_are_there(catalog: ReleaseCatalog) -> None:
    catalog.point_latest(NAME, 3)

    assert prune(catalog, NAME, keep=1) == [1, 2, 4, 5]


def test_an_unpinned_version_goes_with_its_age(catalog: ReleaseCatalog) -> None:
    pin(catalog, "text2sql@v1")
    assert unpin(catalog, "text2sql@v1") is True
    assert unpin(catalog, "text2sql@v1") is False

    assert prune(catalog, NAME, keep=5) == [1]


def test_a_pin_is_kept_with_its_reason_when_it_is_set_again(catalog: ReleaseCatalog) -> None:
    pin(catalog, "text2sql@v4", "baseline")
    pin(catalog, "text2sql@v4")
    pin(catalog, "text2sql@v2")

    document = json.loads(Path(catalog.root, NAME, "pins.json").read_text())

    assert document == {"pinned": [2, 4], "reasons": {"4": "baseline"}}


def test_a_version_without_data_cannot_be_pinned(catalog: ReleaseCatalog) -> None:
    prune(catalog, NAME, keep=1)

    with pytest.raises(RevokedReleaseError, match="text2sql v1 was revoked"):
        pin(catalog, "text2sql@v1")
    with pytest.raises(UnknownReleaseError, match="no version 9"):
        pin(catalog, "text2sql@v9")
    assert pinned(catalog, NAME) == {}


def test_revoked_versions_do_not_count_and_keep_their_own_reason(catalog: ReleaseCatalog) -> None:
    revoke(catalog.find("text2sql@v5"), replaced_by=6)

    assert prune(catalog, NAME, keep=2) == [1, 2, 3]

    assert held(catalog) == [4, 6]
    erased = catalog.look_up("text2sql@v5")
    assert erased.revoked == {"reason": "erasure", "replaced_by": 6}
    assert not is_retired(erased)


def test_again_changes_nothing(catalog: ReleaseCatalog) -> None:
    prune(catalog, NAME, keep=2)
    manifest = Path(catalog.look_up("text2sql@v1").path, "manifest.json").read_bytes()

    assert prune(catalog, NAME, keep=2) == []

    assert Path(catalog.look_up("text2sql@v1").path, "manifest.json").read_bytes() == manifest


def test_looking_first_tells_what_would_go_and_removes_nothing(catalog: ReleaseCatalog) -> None:
    assert [release.version for release in surplus(catalog, NAME, 4)] == [1, 2]

    assert held(catalog) == [1, 2, 3, 4, 5, 6]


def test_an_unknown_dataset_is_no_reason_to_make_a_folder(catalog: ReleaseCatalog, tmp_path: Path) -> None:
    for name in ("nope", "../elsewhere"):
        with pytest.raises(UnknownReleaseError, match="released datasets: text2sql"):
            prune(catalog, name, keep=1)

    assert sorted(path.name for path in (tmp_path / "releases").iterdir()) == [NAME]
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"pinned": 3}', '{"pinned": ["a"]}', '{"other": []}'])
def test_damaged_pins_remove_nothing(catalog: ReleaseCatalog, content: str) -> None:
    Path(catalog.root, NAME, "pins.json").write_text(content)

    with pytest.raises(DamagedPinsError, match=r"pins.json is damaged; restore it"):
        prune(catalog, NAME, keep=1)

    assert held(catalog) == [1, 2, 3, 4, 5, 6]


def test_pruning_waits_for_a_publisher(catalog: ReleaseCatalog) -> None:
    done: list[list[int]] = []
    pruning = threading.Thread(target=lambda: done.append(prune(catalog, NAME, keep=5)), daemon=True)

    with only_publisher(f"{catalog.root}/{NAME}"):
        pruning.start()
        pruning.join(0.3)
        assert done == []
    pruning.join(10)

    assert done == [[1]]


def test_a_retired_version_holds_no_feedback_any_more(catalog: ReleaseCatalog, tmp_path: Path) -> None:
    members = DatasetMembership(str(tmp_path), refresh_seconds=0)
    assert [one.version for one in members.versions_with("f1")] == [1]

    prune(catalog, NAME, keep=2)

    assert members.versions_with("f1") == []
    assert [one.version for one in members.versions_with("f0")] == [5, 6]


def test_versions_on_an_object_store_are_retired_the_same_way(tmp_path: Path) -> None:
    for version in (1, 2):
        write_release(tmp_path, version)
    root = f"memory://{uuid4()}"
    fs, inner = fsspec.core.url_to_fs(root)
    fs.put(str(tmp_path / "releases"), f"{inner}/releases", recursive=True)
    catalog = ReleaseCatalog(root)

    assert prune(catalog, NAME, keep=1) == [1]

    left = sorted(str(path).split("/v1/")[-1] for path in fs.find(f"{inner}/releases/{NAME}/v1"))
    assert left == ["README.md", "manifest.json"]
    assert held(catalog) == [2]


KILLED = """
import os, sys
from feedback_pipeline.finetune.publishing import retention
from feedback_pipeline.finetune.catalog import ReleaseCatalog

step, root = int(sys.argv[1]), sys.argv[2]
done = 0

def counted(function):
    def call(*arguments, **named):
        global done
        if done == step:
            os._exit(9)
        done += 1
        return function(*arguments, **named)
    return call

ReleaseCatalog.write_manifest = counted(ReleaseCatalog.write_manifest)
retention.write_bytes = counted(retention.write_bytes)
from fsspec.implementations.local import LocalFileSystem
LocalFileSystem.rm = counted(LocalFileSystem.rm)
retention.prune(ReleaseCatalog(root), "text2sql", 1)
# What a library does while the interpreter ends is not tested here.
os._exit(0)
"""


def test_killed_at_any_step_it_leaves_what_is_held_whole_and_the_next_call_finishes(tmp_path: Path) -> None:
    step, killed = 0, True
    while killed:
        root = tmp_path / str(step)
        for version in (1, 2, 3):
            write_release(root, version)
        command = [sys.executable, "-c", KILLED, str(step), str(root)]
        code = subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode
        assert code in (0, 9)
        killed = code == 9
        catalog = ReleaseCatalog(str(root))

        for version in held(catalog):
            assert len(left_in(catalog.find(f"text2sql@v{version}"))) == 6
        prune(catalog, NAME, keep=1)

        assert held(catalog) == [3]
        assert all(left_in(catalog.look_up(f"text2sql@v{v}")) == ["README.md", "manifest.json"] for v in (1, 2))
        step += 1
    assert step > 8
