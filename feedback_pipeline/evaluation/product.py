"""The product itself as a ranker: examples are embedded, published and retrieved by the functions that serve agents."""

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from feedback_pipeline.curation.embedding import embed
from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.curation.sql import Columns
from feedback_pipeline.evaluation.databases import EvaluationDatabase, sampled_values
from feedback_pipeline.evaluation.questions import Question
from feedback_pipeline.evaluation.templates import canonical_of
from feedback_pipeline.evaluation.workspace import Workspace
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline.masking.examples import mask_examples
from feedback_pipeline.retrieval import Example, Retriever
from feedback_pipeline.schemas import EXAMPLES
from feedback_pipeline.tables.embedding_cache import EmbeddingCache

PRODUCT = "retriever"
_SOURCE = "evaluation"


class RetrieverRanker:
    """A published index in a temporary storage root, asked through ``Retriever.similar``.

    Args:
        workspace: where it is published.
        dialect: of the SQL of databases not among ``databases``.
        databases: what is known besides the questions: schemas, and values to mask by.
        min_score: less alike examples are not given; default: the retriever's own.

    """

    name = PRODUCT

    def __init__(
        self,
        workspace: Workspace,
        dialect: str,
        databases: Mapping[str, EvaluationDatabase] | None = None,
        min_score: float | None = None,
    ):
        self._workspace, self._dialect, self._min_score = workspace, dialect, min_score
        self._databases = databases or {}
        self._retriever: Retriever | None = None

    def index(self, questions: Sequence[Question]) -> None:
        """Mask, embed and publish the questions; none is left out, not even one given twice."""
        encoder, root = self._workspace.encoder, str(self._workspace.root)
        rows = deduped_rows(questions, self._dialect_of)
        samples = {name: sampled_values(one, self._workspace.settings) for name, one in self._databases.items()}
        masked = mask_examples(rows, self._schema_of, samples).table
        embedded = embed(masked, encoder, EmbeddingCache(root, encoder.fingerprint, encoder.dimension)).table
        publish(IndexCatalog(root), embedded, encoder.fingerprint, samples=samples)
        self._retriever = Retriever.open(self._workspace.settings)

    def ask(self, question: Question, k: int) -> list[int]:
        """Return the numbers of what the retriever finds."""
        return [int(example.example_id, 16) for example in self.examples(question, k)]

    def examples(self, question: Question, k: int) -> list[Example]:
        """Return what the retriever finds. ``index`` must have been called."""
        if self._retriever is None:
            raise RuntimeError("nothing has been indexed")
        return self._retriever.similar(
            question.natural_query, database_id=question.database_id, k=k, min_score=self._min_score
        )

    def _schema_of(self, database_id: str) -> tuple[str, Columns | None]:
        known = self._databases.get(database_id)
        return (known.target.dialect, known.schema) if known else (self._dialect, None)

    def _dialect_of(self, database_id: str) -> str:
        return self._schema_of(database_id)[0]


def deduped_rows(questions: Sequence[Question], dialect_of: Callable[[str], str]) -> pa.Table:
    """Return questions as schemas.EXAMPLES; ``example_id`` is the number of the question, in 16 hex digits."""
    rows = [_row(number, question, dialect_of(question.database_id)) for number, question in enumerate(questions)]
    return pa.Table.from_pylist(rows, EXAMPLES)


def _row(number: int, question: Question, dialect: str) -> dict[str, object]:
    example_id, sql = f"{number:016x}", canonical_of(question.sql, dialect)
    return {
        "example_id": example_id,
        "database_id": question.database_id,
        "natural_query": question.natural_query,
        "canonical_question": canonical_question(question.natural_query),
        "sql": question.sql,
        "canonical_sql": sql.text,
        "sql_skeleton": sql.skeleton,
        "generated_sql": None,
        "weight": 1.0,
        "feedback_ids": [example_id],
        "source": _SOURCE,
        "cluster_id": example_id,
    }
