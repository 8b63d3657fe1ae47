"""Which released versions hold a feedback: read once, right whatever is published, revoked or broken afterwards."""

import logging
import shutil
from pathlib import Path

import pytest

from feedback_pipeline.finetune import membership as module
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.finetune.membership import DatasetMembership, DatasetVersion
from feedback_pipeline.finetune.publishing.release import publish_release
from feedback_pipeline.finetune.publishing.revocation import revoke_rows
from feedback_pipeline_tests.finetune.samples import POLICY, deduped


@pytest.fixture
def catalog(tmp_path: Path) -> ReleaseCatalog:
    return ReleaseCatalog(str(tmp_path))


@pytest.fixture
def membership(tmp_path: Path) -> DatasetMembership:
    return DatasetMembership(str(tmp_path), refresh_seconds=0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collects the versions whose rows are read."""
    seen: list[int] = []
    read = ReleaseCatalog.feedback_behind

    def counted(self: ReleaseCatalog, release):
        seen.append(release.version)
        return read(self, release)

    monkeypatch.setattr(ReleaseCatalog, "feedback_behind", counted)
    return seen


def release(catalog: ReleaseCatalog, *numbers: int, name: str = "text2sql") -> None:
    """Publish the examples with these numbers; number 3 rests on feedback f3."""
    assert publish_release(catalog, name, deduped((n, f"cluster {n}") for n in numbers), POLICY).published


def versions(membership: DatasetMembership, feedback_id: str) -> list[str]:
    return [f"{one.name}@{one.version}" for one in membership.versions_with(feedback_id)]


def test_before_the_first_release_nothing_holds_anything(membership: DatasetMembership):
    assert membership.versions_with("f1") == []


def test_all_versions_of_all_datasets_that_hold_it_are_named(catalog: ReleaseCatalog, membership: DatasetMembership):
    release(catalog, 1, 2)
    release(catalog, 2, 3)
    release(catalog, 2, name="other")

    assert membership.versions_with("f2") == [
        DatasetVersion("other", 1),
        DatasetVersion("text2sql", 1),
        DatasetVersion("text2sql", 2),
    ]
    assert versions(membership, "f1") == ["text2sql@1"]
    assert versions(membership, "f3") == ["text2sql@2"]
    assert versions(membership, "f4") == []


def test_a_new_version_is_seen_and_older_ones_are_not_read_again(
    catalog: ReleaseCatalog, membership: DatasetMembership, reads: list[int]
):
    release(catalog, 1)
    assert versions(membership, "f1") == ["text2sql@1"]

    release(catalog, 1, 2)

    assert versions(membership, "f1") == ["text2sql@1", "text2sql@2"]
    assert versions(membership, "f2") == ["text2sql@2"]
    assert reads == [1, 2]


def test_what_left_and_came_back_is_told_apart(catalog: ReleaseCatalog, membership: DatasetMembership):
    for numbers in ([1, 2], [2], [1, 2, 3], [3]):
        release(catalog, *numbers)
        versions(membership, "f1")

    assert versions(membership, "f1") == ["text2sql@1", "text2sql@3"]
    assert versions(membership, "f2") == ["text2sql@1", "text2sql@2", "text2sql@3"]
    assert versions(membership, "f3") == ["text2sql@3", "text2sql@4"]


def test_many_ids_of_different_length_keep_apart(catalog: ReleaseCatalog, membership: DatasetMembership):
    release(catalog, *range(0, 900, 3))
    versions(membership, "f0")
    release(catalog, *range(0, 9_000, 7))

    for number in range(0, 9_000, 11):
        expected = [1] * (number % 3 == 0 and number < 900) + [2] * (number % 7 == 0)
        found = versions(membership, f"f{number}")
        assert len(found) == len(expected), number


def test_revoked_versions_are_left_out(catalog: ReleaseCatalog, membership: DatasetMembership):
    release(catalog, 1, 2)
    release(catalog, 1, 2, 3)
    assert versions(membership, "f2") == ["text2sql@1", "text2sql@2"]

    revoke_rows(catalog, "text2sql", {"f1"}, "erasure")

    assert versions(membership, "f1") == []
    assert versions(membership, "f2") == ["text2sql@3"]


def test_a_version_that_is_gone_is_not_named(catalog: ReleaseCatalog, membership: DatasetMembership, tmp_path: Path):
    release(catalog, 1)
    release(catalog, 1, 2)
    versions(membership, "f1")

    shutil.rmtree(tmp_path / "releases" / "text2sql" / "v1")

    assert versions(membership, "f1") == ["text2sql@2"]


def test_a_version_that_cannot_be_read_is_told_once_and_taken_in_when_it_can(
    catalog: ReleaseCatalog, membership: DatasetMembership, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING, module.__name__)
    release(catalog, 1)
    release(catalog, 1, 2)
    hidden, data = tmp_path / "hidden", tmp_path / "releases" / "text2sql" / "v1" / "default"
    data.rename(hidden)

    assert versions(membership, "f1") == ["text2sql@2"]
    assert versions(membership, "f1") == ["text2sql@2"]
    assert caplog.text.count("text2sql v1 cannot be read") == 1

    hidden.rename(data)
    assert versions(membership, "f1") == ["text2sql@1", "text2sql@2"]


def test_a_damaged_manifest_hides_only_its_version(
    catalog: ReleaseCatalog, membership: DatasetMembership, tmp_path: Path
):
    release(catalog, 1)
    release(catalog, 1, 2)
    (tmp_path / "releases" / "text2sql" / "v1" / "manifest.json").write_text("{")

    assert versions(membership, "f1") == ["text2sql@2"]


def test_what_is_known_answers_until_it_is_old(tmp_path: Path, catalog: ReleaseCatalog):
    membership = DatasetMembership(str(tmp_path), refresh_seconds=60)
    release(catalog, 1)
    assert versions(membership, "f1") == ["text2sql@1"]

    release(catalog, 1, 2)

    assert versions(membership, "f2") == []
