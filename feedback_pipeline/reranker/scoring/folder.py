"""``model.json``: of which parts a reranker is made, and how their scores become one."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from feedback_pipeline.tables.files import write_json

FORMAT = 1
FILE = "model.json"
DEFAULT_MAX_TOKENS = 256

PartKind = Literal["base_cosine", "bi_encoder", "cross_encoder", "bm25", "length"]
KINDS: tuple[str, ...] = get_args(PartKind)
EMBEDDING_KINDS = ("base_cosine", "bi_encoder")
"""Parts that compare a vector of the query with one of the passage."""
COUNTING_KINDS = ("bm25", "length")
"""Parts that count words or characters: nothing to export, nothing to load."""

ONNX_FILES = ("model.onnx", "tokenizer.json", "encoder.json")
"""Files of an exported part; the last is written last and names further ones."""


class ModelFolderError(LookupError):
    """A model folder is incomplete or damaged, or was written by a later release; the text says which and why."""


@dataclass(frozen=True)
class PartSpec:
    """One part of a model and its place in the sum.

    Attributes:
        kind: ``base_cosine`` (the untrained bi-encoder), ``bi_encoder``, ``cross_encoder``, ``bm25`` or ``length``.
        folder: below the model folder, such as ``bi_encoder``.
        mean: subtracted from the part's score.
        scale: what that is divided by; above 0.
        coefficient: the weight in the sum.
        max_tokens: tokens of a text that this part looks at, where they are fewer than the model's.
    """

    kind: PartKind
    folder: str
    mean: float = 0.0
    scale: float = 1.0
    coefficient: float = 1.0
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"part kind {self.kind!r} is unknown; known are {', '.join(KINDS)}")
        if not self.folder or PurePosixPath(self.folder).is_absolute() or ".." in PurePosixPath(self.folder).parts:
            raise ValueError(f"part folder {self.folder!r} must lie below the model folder")
        numbers = (self.mean, self.scale, self.coefficient)
        if not all(math.isfinite(number) for number in numbers) or self.scale <= 0:
            raise ValueError(f"part {self.folder}: mean, scale and coefficient must be finite and the scale above 0")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValueError(f"part {self.folder}: max_tokens must be at least 1, not {self.max_tokens}")

    def to_json(self) -> dict[str, Any]:
        """Return what ``model.json`` says of it."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class ModelFolder:
    """What ``model.json`` says.

    Attributes:
        name: of the candidate, such as ``blend``.
        parts: at least one.
        max_tokens: tokens of a text that are looked at, special ones included; a part that can take fewer looks at
            fewer.

    Example:
        >>> ModelFolder("bi_encoder", (PartSpec("bi_encoder", "bi_encoder"),)).write(folder)

    """

    name: str
    parts: tuple[PartSpec, ...]
    max_tokens: int = DEFAULT_MAX_TOKENS

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError(f"model {self.name!r} has no parts")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``model.json``."""
        parts = [part.to_json() for part in self.parts]
        return {"format": FORMAT, "name": self.name, "parts": parts, "max_tokens": self.max_tokens}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "ModelFolder":
        """Return what a document says. Raises ValueError, KeyError or TypeError where it says nothing usable."""
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']} is not known here; install a later feedback-pipeline")
        parts = tuple(PartSpec(**part) for part in document["parts"])
        return cls(str(document["name"]), parts, int(document.get("max_tokens", DEFAULT_MAX_TOKENS)))

    def write(self, folder: Path) -> None:
        """Write ``model.json``. Raises StorageError."""
        write_json(str(folder / FILE), self.to_json())

    @classmethod
    def read(cls, folder: Path) -> "ModelFolder":
        """Return what lies in ``folder``. Raises ModelFolderError."""
        path = folder / FILE
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ModelFolderError(f"{folder} is no model folder ({FILE}: {error.strerror or error})") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFolderError(f"{path} cannot be used: {type(error).__name__}: {error}") from error


def require_servable(folder: Path) -> None:
    """Raise ModelFolderError where a model folder lacks a file that serving needs."""
    for part in ModelFolder.read(folder).parts:
        if part.kind == "bm25":
            refuse_missing(folder / part.folder, ["bm25.json"])
        elif part.kind not in COUNTING_KINDS:
            onnx_facts(folder / part.folder / "onnx")


def onnx_facts(folder: Path) -> dict[str, Any]:
    """Return what ``encoder.json`` tells of an exported part. Raises ModelFolderError where anything is missing."""
    refuse_missing(folder, ONNX_FILES)
    try:
        facts = json.loads((folder / ONNX_FILES[-1]).read_text(encoding="utf-8"))
        refuse_missing(folder, facts["further_files"])
        return facts
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFolderError(f"{folder / ONNX_FILES[-1]} cannot be used: {error}") from error


def refuse_missing(folder: Path, names: Iterable[str]) -> None:
    """Raise ModelFolderError where a folder lacks one of these files."""
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ModelFolderError(f"{', '.join(missing)} not found in {folder}: the model is incomplete")
