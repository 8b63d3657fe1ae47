"""A temporary storage root to measure in: nothing of the project's own data is read or changed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np

from feedback_pipeline.curation.encoder import SentenceEncoder
from feedback_pipeline.example_index.encoder_export import export_encoder
from feedback_pipeline.example_index.query_encoder import (
    EncoderNotFoundError,
    QueryEncoder,
    encoder_folder,
    open_encoder,
)
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.files import filesystem

_FEW_TEXTS = 1_500
"""Up to here the query encoder is done before the bulk model's libraries are even imported."""


class RememberingEncoder:
    """The configured embedding model (``curation.encoder.Encoder``); a text is embedded once, however often used."""

    def __init__(self, model: SentenceEncoder, query_encoder: QueryEncoder):
        self._model, self._query_encoder = model, query_encoder
        self._known: dict[str, np.ndarray] = {}

    @property
    def name(self) -> str:
        """The model as the settings name it."""
        return self._model.name

    @property
    def fingerprint(self) -> str:
        """Identity of the model."""
        return self._model.fingerprint

    @property
    def dimension(self) -> int:
        """Number of components of a vector."""
        return self._model.dimension

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return float32 unit vectors of shape (len(texts), dimension)."""
        new = sorted(set(texts) - self._known.keys(), key=lambda text: (len(text), text))
        if new:
            encode = self._query_encoder.encode_all if len(new) <= _FEW_TEXTS else self._model.encode
            self._known.update(zip(new, encode(new), strict=True))
        return np.stack([self._known[text] for text in texts]) if texts else self._model.encode([])


class Workspace:
    """A storage root of its own below ``folder``, with the query encoder of the configured model."""

    def __init__(self, folder: Path, settings: Settings):
        self.root = folder
        self.settings = settings.model_copy(update={"storage_root": str(folder), "database_url": None})
        self._published_at = settings.storage_root
        self.model = SentenceEncoder(settings.embedding_model)

    @cached_property
    def query_encoder(self) -> QueryEncoder:
        """The encoder of questions: the one published under the project's storage root, else exported anew."""
        if not self._linked():
            export_encoder(str(self.root), self.model)
        return open_encoder(str(self.root), self.model.fingerprint)

    @cached_property
    def encoder(self) -> RememberingEncoder:
        """The encoder of examples."""
        return RememberingEncoder(self.model, self.query_encoder)

    def encode_one(self, text: str) -> np.ndarray:
        """Return the unit vector of a question as it is made while a user waits."""
        return self.query_encoder.encode(text)

    def _linked(self) -> bool:
        """Link to the published encoder, where there is a whole one on this machine."""
        published = encoder_folder(self._published_at, self.model.fingerprint)
        if "://" in published:
            return False
        try:
            QueryEncoder(Path(filesystem(published)[1]))
        except EncoderNotFoundError:
            return False
        link = Path(encoder_folder(str(self.root), self.model.fingerprint))
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(published).resolve(), target_is_directory=True)
        return True


@contextmanager
def workspace(settings: Settings) -> Iterator[Workspace]:
    """Yield a workspace in a temporary folder that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="feedback-evaluation-") as folder:
        yield Workspace(Path(folder), settings)
