"""An index with a small real encoder, and what is known of two databases in it."""

from pathlib import Path

import pyarrow as pa
import pytest

from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline_tests.encoders import TinyEncoder
from feedback_pipeline_tests.example_index.samples import Example, embedded

SHIPS = ("shop", "how many ships", "SELECT COUNT(*) FROM ships")
TEA = ("shop", "how many how many ships tea", "SELECT stock FROM products WHERE name = 'tea'")
SECRET = ("bank", "how many ships", "SELECT COUNT(*) FROM bank_ships")
WRONG = {SHIPS[2]: "SELECT SUM(tons) FROM ships"}


def put(root: str, *examples: Example) -> int:
    """Publish examples; those of ``WRONG`` with what was once answered wrongly. Return the version."""
    encoder = TinyEncoder(root)
    rows = embedded(encoder, *examples)
    wrong = pa.array([WRONG.get(sql) for sql in rows["sql"].to_pylist()], pa.string())
    column = rows.schema.get_field_index("generated_sql")
    rows = rows.set_column(column, rows.schema.field(column), wrong)
    return publish(IndexCatalog(root), rows, encoder.fingerprint).publication.version


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A storage root in which SHIPS, TEA and SECRET are live."""
    folder = str(tmp_path / "data")
    put(folder, SHIPS, TEA, SECRET)
    return folder


@pytest.fixture(params=["missing", "emptied"])
def broken_root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A storage root whose index is not there, or half copied."""
    folder = tmp_path / "broken"
    folder.mkdir()
    if request.param == "emptied":
        put(str(folder), SHIPS)
        for path in (folder / "index").rglob("*"):
            if path.is_file():
                path.write_bytes(b"")
    return str(folder)
