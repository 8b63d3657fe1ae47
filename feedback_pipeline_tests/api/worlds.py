"""A deployment in which corrections are live: an application, its store, and an index with a small real encoder."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from feedback_pipeline.api.services import Services
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline.store import CheckRecord, Store, Submission, decide, record_checks, submit_many
from feedback_pipeline.store.example_sources import note_sources
from feedback_pipeline_tests.encoders import TinyEncoder
from feedback_pipeline_tests.example_index.samples import embedded, example_id

CHECKED = {"passed": True, "failed_check": None, "flags": [], "results_equal": False, "is_error_pair": True}


@dataclass
class World:
    """What a test acts on. ``client`` sends requests to ``app``."""

    app: FastAPI
    client: TestClient

    @property
    def services(self) -> Services:
        return self.app.state.services

    @property
    def store(self) -> Store:
        return self.services.store

    def give(
        self, question: str, user: str | None = "ann", checks: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        """Submit a correction of ``user`` that passes the checks, and return its id."""
        fields: dict[str, Any] = {
            "database_id": "shop",
            "natural_query": question,
            "generated_sql": "SELECT 1",
            "corrected_sql": f"SELECT '{question}'",
            "user_id": user,
        }
        [stored] = submit_many(self.store, [Submission(**{**fields, **changes})])
        record_checks(self.store, [CheckRecord(stored.feedback_id, checks or CHECKED, "v1", True)])
        return stored.feedback_id

    def publish(self, *examples: tuple[str, list[str]], database_id: str = "shop") -> int:
        """Verify feedback and publish one example per (question, feedback ids); return the version."""
        ids = sorted({i for _, some in examples for i in some})
        decide(self.store, ids, "verified", actor="rae")
        encoder = TinyEncoder(self.services.settings.storage_root)
        rows = embedded(encoder, *((database_id, question) for question, _ in examples))
        column = rows.schema.get_field_index("feedback_ids")
        groups = pa.array([some for _, some in examples], pa.list_(pa.string()))
        table = rows.set_column(column, rows.schema.field(column), groups)
        catalog = IndexCatalog(self.services.settings.storage_root)
        version = publish(catalog, table, encoder.fingerprint).publication.version
        note_sources(self.store, [(example_id(database_id, q), i) for q, some in examples for i in some])
        decide(self.store, ids, "applied", actor="pipeline", payload={"index_version": version})
        self.look_again()
        return version

    def look_again(self) -> None:
        """Have the retriever notice at once what was published, instead of within a second."""
        self.services.retriever._index._checked_at = float("-inf")

    def live(self, question: str, **given: Any) -> str:
        """Give a correction and publish it alone; return its id."""
        feedback_id = self.give(question, **given)
        self.publish((question, [feedback_id]))
        return feedback_id
