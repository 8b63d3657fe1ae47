"""A release as the publisher makes it, of made-up corrections about a small shop."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.content.prompts import DatabaseFacts, Prompts, read_templates
from feedback_pipeline.finetune.content.schema_text import SchemaText
from feedback_pipeline.finetune.content.selection import ReleasePolicy
from feedback_pipeline.finetune.publishing.release import Surroundings, publish_release
from feedback_pipeline.schemas import DEDUPED_FEEDBACK

ROWS = 210

_SCHEMA = {
    "customers": {"customer_id": "INTEGER", "city": "TEXT", "name": "TEXT"},
    "orders": {"order_id": "INTEGER", "customer_id": "INTEGER", "total": "REAL"},
}
_PROMPTS = Prompts(read_templates(), {"shop": DatabaseFacts("sqlite", SchemaText(_SCHEMA, 6_000))})
_POLICY = ReleasePolicy(min_rating=4, validation_percent=10, test_percent=10)
_CITIES = ("Berlin", "Paris", "Rome", "Oslo", "Madrid", "Vienna", "Prague")
_TEN = 10


def publish(root: Path, numbers: range = range(ROWS)) -> Release:
    """Publish the corrections of these numbers as the next version of ``text2sql``.

    Every third had a wrong answer, every sixth had two.
    """
    table = pa.Table.from_pylist([_correction(number) for number in numbers], DEDUPED_FEEDBACK)
    result = publish_release(ReleaseCatalog(str(root)), "text2sql", table, _POLICY, Surroundings(prompts=_PROMPTS))
    assert result.release is not None
    return result.release


def _correction(number: int) -> dict[str, Any]:
    city, least = _CITIES[number % len(_CITIES)], _TEN * (number // len(_CITIES))
    question = f"How many customers in {city} spent more than {least}?"
    sql = (
        "SELECT COUNT(DISTINCT c.customer_id) FROM customers AS c JOIN orders AS o ON o.customer_id = c.customer_id "
        f"WHERE c.city = '{city}' AND o.total > {least}"
    )
    seen = "results differ: 1 row in the verified, 0 rows in the generated"
    mistakes = [
        f"SELECT SUM(total) FROM orders WHERE city = '{city}' LIMIT {least}",
        f"SELECT MAX(total) FROM orders WHERE city = '{city}' AND total > {least}",
    ]
    wrong = mistakes[: (number % 3 == 0) + (number % 6 == 0)]
    return {
        "example_id": f"{number:016x}",
        "database_id": "shop",
        "natural_query": question,
        "canonical_question": question.lower().rstrip("?"),
        "sql": sql,
        "canonical_sql": sql,
        "sql_skeleton": f"SELECT COUNT(*) FROM orders WHERE group_{number // 3}",
        "generated_sql": wrong[0] if wrong else None,
        "weight": 1.0 + number % 2,
        "feedback_ids": [f"feedback-{number}"],
        "source": "import",
        "cluster_id": f"cluster {number // 3}",
        "contributors": 1 + number % 2,
        "verified_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
        "evidence": "executed" if wrong else "resolved",
        "schema_fingerprint": "5c4e3a",
        "results_differ": True if wrong else None,
        "difference": seen if wrong else None,
        "wrong_sql": wrong,
        "wrong_differences": [seen] * len(wrong),
    }
