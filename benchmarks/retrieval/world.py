"""A published index of made-up examples, some of which are asked for, and the encoder beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from benchmarks.retrieval.examples import database_name, examples, question_text, with_vectors
from feedback_pipeline.curation.encoder import SentenceEncoder
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.encoder_export import export_encoder
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline.example_index.query_encoder import QueryEncoder, open_encoder

ASKED_DATABASES = 5
_PROBES_PER_DATABASE = 40


@dataclass(frozen=True)
class World:
    """A storage root with a live index of ``embedded``, ``seconds`` in the publishing.

    The first ``probes`` rows have the vectors of their own texts, so their questions find them.
    """

    root: str
    embedded: pa.Table
    databases: int
    probes: int
    fingerprint: str
    encoder: QueryEncoder

    @property
    def asked(self) -> list[str]:
        """Databases that are asked about."""
        return [database_name(number) for number in range(ASKED_DATABASES)]

    def fresh_questions(self, count: int, first: int) -> Iterator[tuple[str, str]]:
        """Yield (question, database) that nobody has asked yet."""
        for number in range(first, first + count):
            yield question_text(10_000_000 + number), self.asked[number % ASKED_DATABASES]

    def vectors_of(self, database_id: str) -> tuple[np.ndarray, list[str]]:
        """Return the vectors of a database and the ids they belong to."""
        mask = pa.compute.equal(self.embedded["database_id"], database_id)  # pyright: ignore[reportAttributeAccessIssue]
        rows = self.embedded.select(["example_id", "vector"]).filter(mask).combine_chunks()
        column = rows["vector"].combine_chunks()
        dimension = column.type.list_size
        return column.flatten().to_numpy().reshape(-1, dimension), rows["example_id"].to_pylist()


@contextmanager
def world(rows: int, databases: int, folder: Path | None = None) -> Iterator[World]:
    """Publish ``rows`` examples over so many databases below a temporary folder."""
    with TemporaryDirectory(dir=folder) as root:
        model = SentenceEncoder()
        export_encoder(root, model)
        encoder = open_encoder(root, model.fingerprint)
        probes = min(rows, databases * _PROBES_PER_DATABASE)
        vectors = encoder.encode_all([question_text(number) for number in range(probes)])
        embedded = with_vectors(examples(rows, databases), vectors)
        publish(IndexCatalog(root), embedded, model.fingerprint)
        yield World(root, embedded, databases, probes, model.fingerprint, encoder)
