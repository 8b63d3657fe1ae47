"""Rows removed from releases for good."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_pipeline.curation.rated_answers import RATED_ANSWERS
from feedback_pipeline.finetune.catalog import ReleaseCatalog, RevokedReleaseError, read_data
from feedback_pipeline.finetune.content.examples import StoredExamples
from feedback_pipeline.finetune.content.rows import SPLITS
from feedback_pipeline.finetune.content.selection import DROPPED_ROWS
from feedback_pipeline.finetune.content.splits import split_of
from feedback_pipeline.finetune.publishing import revocation
from feedback_pipeline.finetune.publishing.release import Surroundings, publish_release
from feedback_pipeline.finetune.publishing.revocation import leftover_rows, revoke_rows, versions_with
from feedback_pipeline.finetune.reading.opened import open_release
from feedback_pipeline.finetune.reading.verify import check_release
from feedback_pipeline_tests.finetune.samples import POLICY, examples
from feedback_pipeline_tests.store.running import ROOT


@pytest.fixture
def catalog(tmp_path: Path) -> ReleaseCatalog:
    return ReleaseCatalog(str(tmp_path))


def release(catalog: ReleaseCatalog, table: pa.Table) -> int:
    result = publish_release(catalog, "text2sql", table, POLICY)
    assert result.release is not None
    return result.release.version


def shared(table: pa.Table, number: int) -> pa.Table:
    """Let another user vouch for one row too."""
    rows = table.to_pylist()
    rows[number]["feedback_ids"] = [*rows[number]["feedback_ids"], "g"]
    return pa.Table.from_pylist(rows, table.schema)


def splits(catalog: ReleaseCatalog, reference: str = "text2sql") -> dict[str, str]:
    record = catalog.record_of(catalog.find(reference))
    here = record.select(record.present)
    return {row: SPLITS[split] for row, split in zip(here.row_ids, here.splits, strict=True)}


def test_a_new_version_has_all_other_rows_in_their_splits(catalog: ReleaseCatalog):
    release(catalog, examples(40))
    before = splits(catalog)

    done = revoke_rows(catalog, "text2sql", {"f3", "f4"}, "erasure")

    assert (done.published, done.revoked, done.rows) == (2, [1], 2)
    gone = {f"{number:016x}" for number in (3, 4)}
    assert splits(catalog) == {row: split for row, split in before.items() if row not in gone}
    assert catalog.find("text2sql").manifest["parent"]["version"] == 1


def test_a_revoked_version_keeps_its_manifest_and_nothing_else(catalog: ReleaseCatalog):
    release(catalog, examples(10))
    revoke_rows(catalog, "text2sql", {"f3"}, "erasure")

    old = catalog.look_up("text2sql@v1")

    assert old.revoked == {"reason": "erasure", "replaced_by": 2}
    assert sorted(path.name for path in Path(old.path).rglob("*")) == ["README.md", "manifest.json"]
    assert "revoked" in Path(old.path, "README.md").read_text()
    with pytest.raises(RevokedReleaseError, match=r"text2sql v1 was revoked \(erasure\).*take text2sql@v2"):
        catalog.find("text2sql@v1")


def test_versions_without_the_rows_stay(catalog: ReleaseCatalog):
    release(catalog, examples(5))
    release(catalog, examples(10))
    release(catalog, examples(6))
    assert versions_with(catalog, "text2sql", {"f8"}) == [2]

    done = revoke_rows(catalog, "text2sql", {"f8"}, "erasure")

    assert (done.published, done.revoked) == (None, [2])
    assert [r.version for r in catalog.releases("text2sql") if not r.revoked] == [1, 3]
    assert catalog.latest("text2sql") == catalog.find("text2sql@3")
    assert leftover_rows(catalog, {"f8"}) == 0
    assert leftover_rows(catalog, {"f1"}) == 2 * len(("default", "sft", "prompt_completion", "kto"))


def test_again_changes_nothing(catalog: ReleaseCatalog):
    release(catalog, examples(10))
    revoke_rows(catalog, "text2sql", {"f3"}, "erasure")

    again = revoke_rows(catalog, "text2sql", {"f3"}, "erasure")

    assert (again.published, again.revoked, again.rows) == (None, [], 0)
    assert catalog.versions("text2sql") == [1, 2]


def test_all_rows_of_one_user_leave_an_empty_version(catalog: ReleaseCatalog):
    release(catalog, examples(1))

    revoke_rows(catalog, "text2sql", {"f0"}, "erasure")

    assert catalog.find("text2sql").rows == {"train": 0}
    assert read_data(catalog.find("text2sql").data_files[0]).num_rows == 0


def test_a_row_that_comes_back_keeps_its_split(catalog: ReleaseCatalog):
    table = shared(examples(60), 7)
    release(catalog, table)
    row = f"{7:016x}"
    before = splits(catalog)[row]
    # Its cluster has another name by now, and its name alone would put it elsewhere.
    rows = table.to_pylist()
    wanted = next(name for name in map(str, range(999)) if would_be(name) != before)
    rows[7] |= {"cluster_id": wanted, "feedback_ids": ["g"]}

    revoke_rows(catalog, "text2sql", {"f7"}, "erasure")
    release(catalog, examples(61).filter(pa.array([n != 7 for n in range(61)])))
    release(catalog, pa.Table.from_pylist(rows, table.schema))

    assert splits(catalog)[row] == before


def would_be(cluster: str) -> str:
    return SPLITS[split_of(cluster, POLICY.validation_percent, POLICY.test_percent)]


def test_a_row_of_the_user_alone_is_not_remembered(catalog: ReleaseCatalog):
    release(catalog, examples(10))

    revoke_rows(catalog, "text2sql", {"f3"}, "erasure")

    assert f"{3:016x}" not in catalog.record_of(catalog.find("text2sql")).row_ids


def test_the_next_release_follows_the_one_without_the_rows(catalog: ReleaseCatalog):
    release(catalog, examples(10))
    revoke_rows(catalog, "text2sql", {"f9"}, "erasure")

    assert publish_release(catalog, "text2sql", examples(9), POLICY).published is False
    assert release(catalog, examples(11)) == 3


def test_what_killed_publishers_left_is_removed(catalog: ReleaseCatalog, tmp_path: Path):
    release(catalog, examples(3))
    for name in (".v2.staging", "v2"):
        folder = tmp_path / "releases" / "text2sql" / name / "data"
        folder.mkdir(parents=True)
        (folder / "train-00000-of-00001.parquet").write_bytes(b"rows")

    revoke_rows(catalog, "text2sql", {"f9"}, "erasure")

    assert sorted(p.name for p in (tmp_path / "releases" / "text2sql").glob("*v*")) == ["v1"]


KILLED = """
import os, signal, sys
from feedback_pipeline.finetune.publishing import revocation, staging
from feedback_pipeline.finetune.catalog import ReleaseCatalog
root, moment = sys.argv[1], int(sys.argv[2])
steps = iter(range(100))
def dying(function):
    def call(*a, **k):
        if next(steps) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*a, **k)
    return call
for module, name in ((revocation, "_publish_without"), (staging, "write_json"), (revocation, "_revoke"),
                     (revocation, "write_bytes"), (revocation, "remove_data")):
    setattr(module, name, dying(getattr(module, name)))
revocation.revoke_rows(ReleaseCatalog(root), "text2sql", {"f3"}, "erasure")
# What a library does while the interpreter ends is not tested here.
os._exit(0)
"""


def test_killed_at_any_step_the_next_call_finishes(catalog: ReleaseCatalog, tmp_path: Path):
    release(catalog, examples(10))
    moment = 0
    while True:
        command = [sys.executable, "-c", KILLED, str(tmp_path), str(moment)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert catalog.latest("text2sql") is not None
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        moment += 1

    assert moment >= 3
    assert leftover_rows(catalog, {"f3"}) == 0
    assert len(splits(catalog)) == 9


def test_a_row_whose_rating_goes_stays(catalog: ReleaseCatalog, tmp_path: Path):
    stored = tmp_path / "examples.parquet"
    pq.write_table(examples(40).sort_by("example_id"), stored)
    rated = [
        {"example_id": f"{number:016x}", "rated_down": ["SELECT 99"], "rated_in": [f"{number + 500}"]}
        for number in (3, 4)
    ]
    publish_release(
        catalog, "text2sql", StoredExamples(str(stored), pa.Table.from_pylist(rated, RATED_ANSWERS)), POLICY
    )

    done = revoke_rows(catalog, "text2sql", {"503"}, "erasure")

    assert (done.published, done.revoked) == (2, [1])
    tables = (read_data(path).to_pylist() for path in catalog.find("text2sql").data_files)
    answers = {row["row_id"]: row["rated_down"] for table in tables for row in table}
    assert len(answers) == 40
    assert (answers[f"{3:016x}"], answers[f"{4:016x}"]) == ([], ["SELECT 99"])
    assert leftover_rows(catalog, {"503"}) == 0


def test_the_key_of_a_row_that_left_before_is_forgotten_too(catalog: ReleaseCatalog):
    release(catalog, examples(10))
    release(catalog, examples(10).slice(1))

    done = revoke_rows(catalog, "text2sql", {"f0"}, "erasure")

    assert (done.published, done.revoked) == (None, [1])
    newest = catalog.find("text2sql")
    assert f"{0:016x}" not in catalog.record_of(newest).row_ids
    assert not check_release(newest.path).problems


def test_what_was_left_out_is_forgotten_also_after_a_break(catalog: ReleaseCatalog, monkeypatch: pytest.MonkeyPatch):
    pending = {
        "stage": "verified_feedback",
        "reason": "pending",
        "row_id": None,
        "feedback_ids": ["u1"],
        "detail": None,
    }
    around = Surroundings(dropped_earlier=pa.Table.from_pylist([pending], DROPPED_ROWS))
    publish_release(catalog, "text2sql", examples(10), POLICY, around)

    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(revocation, "write_bytes", broken_off)
        with pytest.raises(KeyboardInterrupt):
            revoke_rows(catalog, "text2sql", {"u1"}, "erasure")
    revoke_rows(catalog, "text2sql", {"u1"}, "erasure")

    assert leftover_rows(catalog, {"u1"}) == 0
    assert catalog.find("text2sql").manifest["dropped"] == {}
    assert not check_release(catalog.find("text2sql").path).problems


def test_an_empty_version_can_be_opened(catalog: ReleaseCatalog, tmp_path: Path):
    release(catalog, examples(1))
    revoke_rows(catalog, "text2sql", {"f0"}, "erasure")

    assert open_release("text2sql", root=str(tmp_path)).load()["train"].num_rows == 0
