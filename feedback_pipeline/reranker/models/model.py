"""One model of the registry: what its manifest says, whether its files are whole, and whether its data was revoked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from feedback_pipeline.tables.files import filesystem, read_json

State = Literal["production", "candidate", "refused", "retired", "damaged"]

MANIFEST = "manifest.json"
FOLDER = "model"
"""Folder of the model below its version; what is beside it is for people."""

REQUIRED = ("training_key", "candidate", "dataset", "gate", "files")

_RETENTION = "retention"
"""``kind`` in the note of a dataset version that went because of its age (``finetune.publishing.retention``)."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Model:
    """One version of the reranker.

    Attributes:
        version: counted from 1.
        path: folder or URL of the version.
        manifest: what it says; empty where it cannot be read.
    """

    version: int
    path: str
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """Return how people call it: ``reranker v3``."""
        return name_of(self.version)

    @property
    def is_damaged(self) -> bool:
        """Tell whether the manifest says too little to do anything with the version."""
        kinds = {"dataset": dict, "gate": dict, "files": list}
        return any(not isinstance(self.manifest.get(name), kinds.get(name, str)) for name in REQUIRED)

    @property
    def candidate(self) -> str:
        """Return what was trained, such as ``blend``."""
        return self.manifest["candidate"]

    @property
    def dataset(self) -> str:
        """Return what it was trained on, such as ``reranker@v2``."""
        return f"{self.manifest['dataset']['name']}@v{self.manifest['dataset']['version']}"

    @property
    def metrics(self) -> dict[str, Any]:
        """Return what was measured."""
        return self.manifest.get("metrics", {})

    @property
    def passed_gate(self) -> bool:
        """Tell whether the gate let it through."""
        return bool(self.manifest["gate"].get("promoted"))

    @property
    def reasons(self) -> list[str]:
        """Return what the gate said."""
        return [str(reason) for reason in self.manifest["gate"].get("reasons", [])]

    @property
    def pruned(self) -> str | None:
        """Return why the weights were removed, None where they were not."""
        return self.manifest.get("pruned")

    def model_files(self) -> list[dict[str, Any]]:
        """Return path, bytes and SHA-256 of each file of the model itself, in order of paths."""
        listed = [file for file in self.manifest["files"] if file["path"].startswith(f"{FOLDER}/")]
        return sorted(listed, key=lambda file: file["path"])

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the files of the model, one after the other: all of them are read."""
        for file in self.model_files():
            path = f"{self.path}/{file['path']}"
            try:
                is_whole = sha256_of(path) == file["sha256"]
            except FileNotFoundError:
                yield f"{path} is missing"
            except OSError as error:
                yield f"{path} cannot be read ({error.strerror or error})"
            else:
                if not is_whole:
                    yield f"{path} is not what the manifest says (SHA-256)"

    def revoked_dataset(self) -> str | None:
        """Return ``reranker@v2`` where somebody was erased from the dataset it was trained on, else None.

        The manifest is read as it is: the catalog of datasets would bring Arrow into a process that serves.
        """
        root = self.path.rsplit("/models/", 1)[0]
        dataset = self.manifest["dataset"]
        manifest = read_json(f"{root}/releases/{dataset['name']}/v{dataset['version']}/{MANIFEST}") or {}
        revoked = manifest.get("revoked")
        return self.dataset if revoked and revoked.get("kind") != _RETENTION else None


def name_of(version: int) -> str:
    """Return how people call a version: ``reranker v3``."""
    return f"reranker v{version}"


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file as hex, read in small parts. Raises OSError."""
    fs, inner = filesystem(path)
    digest = hashlib.sha256()
    with fs.open(inner, "rb") as stream:
        while part := stream.read(_CHUNK_BYTES):
            digest.update(part if isinstance(part, bytes) else part.encode())
    return digest.hexdigest()
