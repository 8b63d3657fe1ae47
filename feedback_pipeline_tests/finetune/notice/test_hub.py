"""Versions pushed to a repository of the Hugging Face hub; a server on this machine stands for the hub."""

import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from huggingface_hub import constants
from pydantic import SecretStr, ValidationError

from feedback_pipeline.finetune.catalog import DamagedReleaseError, Release, ReleaseCatalog, RevokedReleaseError
from feedback_pipeline.finetune.notice.hub import HubError, HubRepository, hub_repository
from feedback_pipeline.settings import Settings
from feedback_pipeline_tests.finetune.fake_hub import TOKEN, Hub, fake_hub
from feedback_pipeline_tests.finetune.written import left_in, revoke, write_release

REPO = "acme/text2sql"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    # Tests run offline, and Xet uploads need its native protocol: both are read from these constants at each call.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with fake_hub() as running:
        yield running


def repository(hub: Hub, token: str = TOKEN, *, private: bool = True) -> HubRepository:
    return HubRepository(REPO, SecretStr(token), private, hub.endpoint)


def content(release: Release) -> dict[str, bytes]:
    return {path: Path(release.path, path).read_bytes() for path in left_in(release)}


def without_attributes(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path: held for path, held in files.items() if path != ".gitattributes"}


def test_a_version_is_one_commit_with_all_its_files_and_a_tag(hub: Hub, tmp_path: Path) -> None:
    release = write_release(tmp_path, 1)

    said = repository(hub).push(release)

    pushed = hub.repositories[REPO]
    assert said == "pushed v1 to acme/text2sql"
    assert pushed.private
    assert len(pushed.commits) == 2
    assert pushed.commits[-1].message == f"text2sql v1 ({release.digest[:12]})"
    assert without_attributes(pushed.at("v1")) == content(release)


def test_the_next_version_replaces_the_files_and_leaves_the_former_under_its_tag(hub: Hub, tmp_path: Path) -> None:
    first = write_release(tmp_path, 1)
    repository(hub).push(first)
    second = write_release(tmp_path, 2)
    Path(second.path, "sft/train-00000-of-00001.parquet").rename(Path(second.path, "elsewhere.parquet"))
    renamed = {"sft/train-00000-of-00001.parquet": "elsewhere.parquet"}
    files = [{**file, "path": renamed.get(file["path"], file["path"])} for file in second.manifest["files"]]
    second = Release("text2sql", 2, second.path, {**second.manifest, "files": files})

    repository(hub).push(second)

    pushed = hub.repositories[REPO]
    assert "sft/train-00000-of-00001.parquet" not in pushed.main
    assert without_attributes(pushed.main) == content(second)
    assert without_attributes(pushed.at("v1")) == content(first)
    assert ".gitattributes" in pushed.main


def test_a_version_that_is_there_is_not_pushed_again(hub: Hub, tmp_path: Path) -> None:
    release = write_release(tmp_path, 1)
    repository(hub).push(release)
    hub.requests.clear()

    assert repository(hub).push(release) == "acme/text2sql is at v1: v1 is not pushed"

    assert len(hub.repositories[REPO].commits) == 2
    assert not [request for request in hub.requests if "commit" in request or "tag" in request]


def test_the_main_branch_never_goes_back(hub: Hub, tmp_path: Path) -> None:
    first, second = write_release(tmp_path, 1), write_release(tmp_path, 2)
    repository(hub).push(second)

    assert repository(hub).push(first) == "acme/text2sql is at v2: v1 is not pushed"

    assert without_attributes(hub.repositories[REPO].main) == content(second)


@pytest.mark.parametrize("step", ["POST .*/preupload/main", "PUT ", "POST .*/commit/main", "POST .*/tag/"])
def test_an_interrupted_push_is_finished_by_the_next(hub: Hub, tmp_path: Path, step: str) -> None:
    release = write_release(tmp_path, 1)
    repository(hub).push(release)
    release = write_release(tmp_path, 2)
    oid = hub.repositories[REPO].commits[-1].oid
    hub.broken = step

    with pytest.raises((HubError, RuntimeError)):
        repository(hub).push(release)
    assert "v2" not in hub.repositories[REPO].tags
    assert hub.repositories[REPO].tags["v1"] == oid
    hub.broken = None
    repository(hub).push(release)

    pushed = hub.repositories[REPO]
    assert without_attributes(pushed.at("v2")) == without_attributes(pushed.main) == content(release)
    assert len(pushed.commits) == 3


def test_a_version_on_an_object_store_is_pushed_too(hub: Hub, tmp_path: Path) -> None:
    local = write_release(tmp_path, 1)
    root = f"memory://{uuid4()}"
    fs, inner = fsspec.core.url_to_fs(root)
    fs.put(str(tmp_path / "releases"), f"{inner}/releases", recursive=True)

    repository(hub).push(ReleaseCatalog(root).find("text2sql@v1"))

    assert without_attributes(hub.repositories[REPO].at("v1")) == content(local)


def test_files_that_no_manifest_lists_stay_here(hub: Hub, tmp_path: Path) -> None:
    release = write_release(tmp_path, 1)
    Path(release.path, "notes.txt").write_text("private")

    repository(hub).push(release)

    assert "notes.txt" not in hub.repositories[REPO].main


def test_a_revoked_version_is_not_pushed_and_nothing_is_asked_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    revoke(write_release(tmp_path, 1), replaced_by=2)
    release = ReleaseCatalog(str(tmp_path)).look_up("text2sql@v1")

    with pytest.raises(RevokedReleaseError, match=r"text2sql v1 was revoked \(erasure\) and is not pushed"):
        repository(hub).push(release)

    assert hub.requests == []


def test_a_withdrawn_version_loses_its_tag_and_it_is_said_what_the_history_keeps(hub: Hub, tmp_path: Path) -> None:
    first, second = write_release(tmp_path, 1), write_release(tmp_path, 2)
    repository(hub).push(first)
    repository(hub).push(second)

    said = repository(hub).withdraw(first)

    assert list(hub.repositories[REPO].tags) == ["v2"]
    assert "the tag v1 of acme/text2sql is gone; its history still holds the rows" in said
    assert repository(hub).withdraw(first) == "acme/text2sql has no tag v1"


def test_nothing_is_made_to_withdraw_from(hub: Hub, tmp_path: Path) -> None:
    assert repository(hub).withdraw(write_release(tmp_path, 1)) == "acme/text2sql has no tag v1"

    assert hub.repositories == {}


@pytest.mark.parametrize("harm", ["edited", "truncated", "missing"])
def test_a_version_that_is_not_whole_is_not_pushed(hub: Hub, tmp_path: Path, harm: str) -> None:
    release = write_release(tmp_path, 1)
    path = Path(release.path, "default/train-00000-of-00001.parquet")
    held = path.read_bytes()
    path.write_bytes(held[:-1] if harm == "truncated" else held[:-1] + b"x")
    if harm == "missing":
        path.unlink()

    with pytest.raises(DamagedReleaseError, match=r"default/train-00000-of-00001.parquet is .*pushed"):
        repository(hub).push(release)

    assert len(hub.repositories[REPO].commits) == 1


def test_a_public_repository_gets_nothing_unless_it_may_be_public(hub: Hub, tmp_path: Path) -> None:
    release = write_release(tmp_path, 1)
    repository(hub, private=False).push(release)
    second = write_release(tmp_path, 2)

    with pytest.raises(
        HubError, match=r"is public, so nothing is pushed; make it private, or set FEEDBACK_HUB_PRIVATE"
    ):
        repository(hub).push(second)

    assert list(hub.repositories[REPO].tags) == ["v1"]
    assert repository(hub, private=False).push(second) == "pushed v2 to acme/text2sql"


def test_a_token_that_may_not_write_is_explained_and_not_repeated(
    hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    with pytest.raises(HubError, match="status 401; see that FEEDBACK_HUB_TOKEN may write to it") as caught:
        repository(hub, "hf_another-token").push(write_release(tmp_path, 1))

    said = " ".join([caplog.text, str(caught.value), str(caught.value.__cause__), repr(repository(hub))])
    assert "hf_another-token" not in said
    assert TOKEN not in said


def test_offline_mode_is_named(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set; unset it"):
        repository(hub).push(write_release(tmp_path, 1))


def settings(**fields: object) -> Settings:
    return Settings(_env_file=None, **fields)  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_each_dataset_has_a_repository_of_its_own() -> None:
    both = settings(hub_dataset_repo="acme/{name}-feedback", hub_token=TOKEN, hub_private=False)

    found = hub_repository(both, "reranker")

    assert found is not None
    assert (found.repo_id, found.private) == ("acme/reranker-feedback", False)
    assert hub_repository(settings(hub_dataset_repo="acme/{name}"), "reranker") is None
    assert hub_repository(settings(hub_dataset_repo="acme/{name}", hub_token=""), "reranker") is None
    assert hub_repository(settings(hub_token=TOKEN), "reranker") is None


@pytest.mark.parametrize("repo", ["text2sql", "acme/text2sql", "{name}", "acme/{name}/x", "acme/{other}{name}"])
def test_a_repository_that_datasets_would_share_or_that_is_none_is_refused(repo: str) -> None:
    with pytest.raises(ValidationError, match=r"is not like org/\{name\}"):
        settings(hub_dataset_repo=repo)
