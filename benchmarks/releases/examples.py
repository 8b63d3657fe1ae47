"""A made-up ``deduped_feedback`` of any size, as Parquet; numbers decide every row, so it is the same everywhere."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feedback_pipeline.finetune.content.prompts import DatabaseFacts, Prompts, read_templates
from feedback_pipeline.finetune.content.schema_text import SchemaText
from feedback_pipeline.schemas import DEDUPED_FEEDBACK

ROWS_PER_DATABASE = 40
_COLUMNS = {f"{name}_field": "TEXT" for name in ("player", "season", "score", "venue", "result", "attendance")}
_NAMES = list(_COLUMNS)
_WORDS = ("north", "harbour", "royal", "central", "grand", "upper", "old", "summer", "river", "county")
_PART = 100_000


def write_examples(path: Path, numbers: Iterable[int], changed: frozenset[int] = frozenset()) -> Path:
    """Write the examples of these numbers, ordered by id; ``changed`` ones have got one more submission."""
    listed = list(numbers)
    parts = [_table(listed[start : start + _PART], changed) for start in range(0, len(listed), _PART)]
    table = pa.concat_tables(parts).sort_by("example_id").combine_chunks()
    pq.write_table(table, path, compression="zstd", row_group_size=65_536)
    return path


def prompts(rows: int) -> Prompts:
    """Return the prompts of the databases that so many rows are about."""
    databases = {
        f"db_{number:06d}": DatabaseFacts("sqlite", SchemaText({f"table_{number}": _COLUMNS}, 6_000))
        for number in range(rows // ROWS_PER_DATABASE + 1)
    }
    return Prompts(read_templates(), databases)


def _table(numbers: list[int], changed: frozenset[int]) -> pa.Table:
    return pa.Table.from_pylist([_row(number, number in changed) for number in numbers], DEDUPED_FEEDBACK)


def _row(number: int, is_changed: bool) -> dict[str, object]:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    database = number // ROWS_PER_DATABASE
    shown, compared = _NAMES[number % 6], _NAMES[number // 6 % 6]
    value = " ".join(_WORDS[int(sign, 16) % 10] for sign in digest[:3]) + f" {number}"
    sql = f"SELECT {shown} FROM table_{database} WHERE {compared} = '{value}'"
    wrong = number % 3 == 0
    skeleton = f"SELECT {shown} FROM table_{database} WHERE {compared} = ?"
    ids = [f"{digest[16:24]}-{digest[24:28]}-{digest[28:32]}-{digest[32:36]}-{digest[36:48]}"]
    return {
        "example_id": digest[:16],
        "database_id": f"db_{database:06d}",
        "natural_query": f"What is the {shown[:-6]} of the match whose {compared[:-6]} is {value}?",
        "canonical_question": f"what is the {shown[:-6]} of the match whose {compared[:-6]} is {value}",
        "sql": sql,
        "canonical_sql": sql,
        "sql_skeleton": skeleton,
        "generated_sql": sql.replace("SELECT ", "SELECT DISTINCT ") + " LIMIT 1" if wrong else None,
        "weight": 1.0 + is_changed,
        "feedback_ids": [*ids, f"{ids[0][:-1]}z"] if is_changed else ids,
        "source": "import",
        "cluster_id": hashlib.sha256(skeleton.encode()).hexdigest()[:16],
        "contributors": 1 + is_changed,
        "verified_at": datetime.fromtimestamp(1_767_225_600 + number, UTC),
        "evidence": "executed",
        "schema_fingerprint": hashlib.sha256(str(database).encode()).hexdigest(),
        "results_differ": True if wrong else None,
        "wrong_sql": [sql.replace("SELECT ", "SELECT DISTINCT ") + " LIMIT 1"] if wrong else [],
        "wrong_differences": ["results differ: 3 rows of 1 column in the corrected, 1 row in the generated"] * wrong,
        "difference": "results differ: 3 rows of 1 column in the corrected, 1 row in the generated" if wrong else None,
    }


def one_percent(rows: int, seed: int) -> frozenset[int]:
    """Return 1 % of the numbers below ``rows``, scattered."""
    chosen = np.random.default_rng(seed).choice(rows, rows // 100, replace=False)
    return frozenset(chosen.tolist())
