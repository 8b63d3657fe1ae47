"""Pushing dataset versions to a repository of the Hugging Face hub: one commit and one tag ``vN`` per version.

``huggingface_hub`` is imported when first used. One commit holds a whole version, so whoever loads ``main`` never sees
half of one; ``HfApi.upload_folder`` would make several of a large version.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from feedback_pipeline.finetune.catalog import DamagedReleaseError, Release, RevokedReleaseError
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.files import filesystem

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from pydantic import SecretStr

_TYPE = "dataset"
_MANIFEST = "manifest.json"


class HubError(RuntimeError):
    """The hub cannot be used as it is set up; the text says why and the way out."""


@dataclass(frozen=True)
class HubRepository:
    """One dataset repository of the hub.

    Attributes:
        repo_id: such as ``org/text2sql``.
        token: with write access to it.
        private: whether the repository has to be private; it is made so where it does not exist yet.
        endpoint: address of the hub; default: ``HF_ENDPOINT``, else huggingface.co.
    """

    repo_id: str
    token: "SecretStr"
    private: bool = True
    endpoint: str | None = None

    def push(self, release: Release) -> str:
        """Commit the files of a version to ``main`` and tag them; return what was done, one line for people.

        Does nothing where the tag is there already, or a newer version is: ``main`` never goes back. A push that was
        interrupted is finished by the next.

        Raises:
            RevokedReleaseError: the version has no data any more.
            DamagedReleaseError: a file is not what the manifest says; nothing is pushed.
            HubError: the hub refuses, or the repository is public and should not be.
        """
        if release.revoked:
            raise RevokedReleaseError(
                f"{release.name} v{release.version} was revoked ({release.revoked['reason']}) and is not pushed"
            )
        with self._opened() as api:
            self._ensure(api)
            versions = self._versions(api)
            if newer := [version for version in versions if version >= release.version]:
                return f"{self.repo_id} is at v{max(newer)}: v{release.version} is not pushed"
            with _local_files(release) as folder:
                commit = self._commit(api, release, folder)
            api.create_tag(
                self.repo_id, tag=f"v{release.version}", revision=commit, tag_message=release.digest, repo_type=_TYPE
            )
        return f"pushed v{release.version} to {self.repo_id}"

    def withdraw(self, release: Release) -> str:
        """Remove the tag of a revoked version; return what was done and what is left, one line for people.

        Raises:
            HubError: the hub refuses.
        """
        with self._opened() as api:
            if not api.repo_exists(self.repo_id, repo_type=_TYPE) or release.version not in self._versions(api):
                return f"{self.repo_id} has no tag v{release.version}"
            api.delete_tag(self.repo_id, tag=f"v{release.version}", repo_type=_TYPE)
        return (
            f"the tag v{release.version} of {self.repo_id} is gone; its history still holds the rows: "
            "delete the repository to remove them for good, the next push makes it anew"
        )

    @contextmanager
    def _opened(self) -> "Iterator[HfApi]":
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        try:
            yield HfApi(endpoint=self.endpoint, token=self.token.get_secret_value(), library_name="feedback-pipeline")
        except OfflineModeIsEnabled as error:
            raise HubError(f"cannot push to {self.repo_id}: HF_HUB_OFFLINE is set; unset it") from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            raise HubError(
                f"the hub refuses {self.repo_id} with status {status}; see that FEEDBACK_HUB_TOKEN may write to it and "
                "that FEEDBACK_HUB_DATASET_REPO names your user or organisation"
            ) from error

    def _ensure(self, api: "HfApi") -> None:
        api.create_repo(self.repo_id, private=self.private, repo_type=_TYPE, exist_ok=True)
        if self.private and not api.repo_info(self.repo_id, repo_type=_TYPE).private:
            raise HubError(
                f"{self.repo_id} is public, so nothing is pushed; make it private, or set FEEDBACK_HUB_PRIVATE=false"
            )

    def _versions(self, api: "HfApi") -> set[int]:
        tags = (tag.name for tag in api.list_repo_refs(self.repo_id, repo_type=_TYPE).tags)
        return {int(name[1:]) for name in tags if name[:1] == "v" and name[1:].isdigit()}

    def _commit(self, api: "HfApi", release: Release, folder: Path) -> str:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        paths = [file["path"] for file in release.manifest["files"]] + [_MANIFEST]
        present = api.list_repo_files(self.repo_id, repo_type=_TYPE)
        gone = sorted(set(present) - {*paths, ".gitattributes"})
        done = api.create_commit(
            self.repo_id,
            [
                *(CommitOperationAdd(path, folder / path) for path in sorted(paths)),
                *(CommitOperationDelete(path, is_folder=False) for path in gone),
            ],
            commit_message=f"{release.name} v{release.version} ({release.digest[:12]})",
            commit_description=f"digest {release.digest}",
            repo_type=_TYPE,
        )
        return done.oid


def hub_repository(settings: Settings, name: str) -> HubRepository | None:
    """Return the repository of dataset ``name``; None where no repository or no token is set."""
    token = settings.hub_token
    if not settings.hub_dataset_repo or not token or not token.get_secret_value():
        return None
    return HubRepository(settings.hub_dataset_repo.format(name=name), token, settings.hub_private)


@contextmanager
def _local_files(release: Release) -> Iterator[Path]:
    """Yield a folder with the listed files, each compared with its checksum, and the manifest."""
    fs, inner = filesystem(release.path)
    with tempfile.TemporaryDirectory(prefix="feedback-pipeline-hub-") as folder:
        for path in [*(file["path"] for file in release.manifest["files"]), _MANIFEST]:
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                fs.get_file(f"{inner}/{path}", str(target))
            except FileNotFoundError as error:
                raise DamagedReleaseError(f"{release.path}/{path} is missing; nothing was pushed") from error
        _verify(release, Path(folder))
        yield Path(folder)


def _verify(release: Release, folder: Path) -> None:
    for file in release.manifest["files"]:
        content = folder / file["path"]
        if content.stat().st_size != file["bytes"] or _digest(content) != file["sha256"]:
            raise DamagedReleaseError(
                f"{release.path}/{file['path']} is not what it was published as; nothing was pushed"
            )


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
