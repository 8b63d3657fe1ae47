"""Postgres' values as plain Python: numbers as numbers, everything else as Postgres writes it.

psycopg's own loaders turn dates into Python's, which know neither infinity nor the years before Christ, and fail on
text that is not in the declared encoding.
"""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

_NUMBERS = ("bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "bytea")
_NUMBERS_IN_ARRAYS = ("int2", "int4", "int8", "float4", "float8", "numeric")
_ANY_OTHER = 0


def adapt(connection: "Connection[Any]") -> None:
    """Let ``connection`` load values as this module says."""
    from psycopg.adapt import Buffer, Loader

    class PlainText(Loader):
        """Text as it comes, whatever its encoding."""

        def load(self, data: Buffer) -> str:
            return _decoded(data)

    class JsonText(Loader):
        """JSON in one spelling, so that the order of keys and blanks do not count."""

        def load(self, data: Buffer) -> str:
            return _in_one_spelling(_decoded(data))

    adapters = connection.adapters
    kept = {adapters.types[name].oid for name in _NUMBERS}
    kept |= {adapters.types[name].array_oid for name in _NUMBERS_IN_ARRAYS}
    for oid in {oid for info in adapters.types for oid in (info.oid, info.array_oid)} - kept | {_ANY_OTHER}:
        adapters.register_loader(oid, PlainText)
    for name in ("json", "jsonb"):
        adapters.register_loader(name, JsonText)


def _decoded(data: Any) -> str:
    return bytes(data).decode("utf-8", "surrogateescape")


def _in_one_spelling(text: str) -> str:
    try:
        return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        # Numbers or nesting beyond what Python reads.
        return text
