"""How rerankers are trained: all that decides, besides the dataset, what comes out."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from feedback_pipeline.curation.encoder import BUNDLED, folder_fingerprint, model_folder

CODE_VERSION = 2
"""Counts changes of how candidates are trained from the same data and configuration."""


@dataclass(frozen=True)
class TrainingConfig:
    """Configuration of one training.

    Attributes:
        candidates: what is trained, such as ``bi_encoder``.
        encoder: sentence-transformers model to start from, ``bundled`` or a folder; also the base retriever.
        base: cross-encoder to start from, a folder or a Hugging Face name; None: ``encoder`` with a new head.
        seed: of everything that is drawn.
        epochs: passes over the triplets.
        max_tokens: tokens of a text that are looked at.
        max_queries: queries that are trained on, the heaviest first.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        batch_size: triplets or pairs of a step; bounds memory.
        learning_rate: at its highest, after a tenth of the steps.
        triplets_per_query: most triplets of one query.
    """

    candidates: tuple[str, ...] = ("bi_encoder", "cross_encoder", "blend")
    encoder: str = "bundled"
    base: str | None = None
    seed: int = 13
    epochs: int = 1
    max_tokens: int = 192
    max_queries: int = 20_000
    device: str = "auto"
    batch_size: int = 16
    learning_rate: float = 3e-5
    triplets_per_query: int = 4

    def as_dict(self) -> dict[str, Any]:
        """Return what stands in the model's manifest. The device is left out: it is where, not what."""
        told = {name: value for name, value in asdict(self).items() if name != "device"}
        return {**told, "candidates": list(self.candidates), "code_version": CODE_VERSION}

    def identity(self) -> dict[str, Any]:
        """Return what tells this way of training from others, as JSON types: ``as_dict``, and what lies in folders.

        Other weights under the same path are another model. Raises ModelNotFoundError.
        """
        named = {} if self.encoder == BUNDLED else {"encoder": model_folder(self.encoder)}
        if self.base_folder is not None:
            named["base"] = self.base_folder
        contents = {name: folder_fingerprint(folder) for name, folder in named.items()}
        return {**self.as_dict(), **({"contents": contents} if contents else {})}

    @property
    def base_folder(self) -> Path | None:
        """The folder that ``base`` names; None where it names a model of the Hugging Face hub, or nothing."""
        folder = Path(self.base).expanduser() if self.base else None
        return folder if folder is not None and folder.is_dir() else None

    @property
    def needs_hub(self) -> bool:
        """Whether a model of the Hugging Face hub is to be started from."""
        return self.base is not None and self.base_folder is None
