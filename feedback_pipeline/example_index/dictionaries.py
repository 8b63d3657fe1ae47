"""The dictionaries of values that are published with the index: one file a database, named by what it was learned from.

A manifest says which database has which file; its digest stands in the note of the publication, so a dictionary moves
with the tag. Dictionaries are learned from the rows that are published, and from nothing that has left them.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from feedback_pipeline.masking.dictionary import KnownValue, ValueDictionary
from feedback_pipeline.masking.slots import SlotModel
from feedback_pipeline.tables.files import filesystem, read_json, write_bytes, write_json

Sample = Sequence[tuple[str, str]]
"""(text, ``table.column``) found in a database itself."""

_VALUES = pa.schema(
    [
        pa.field("text", pa.string()),
        pa.field("spellings", pa.list_(pa.string())),
        pa.field("columns", pa.list_(pa.string())),
        pa.field("weights", pa.list_(pa.float64())),
        pa.field("is_value", pa.bool_()),
        pa.field("exceptions", pa.list_(pa.string())),
    ]
)
_SAMPLE = pa.schema([pa.field("text", pa.string()), pa.field("column", pa.string())])
_FORMAT = 1


class DictionaryNotFoundError(LookupError):
    """A dictionary published with an index is missing or damaged."""


class StoredValues(Mapping[str, KnownValue]):
    """The values of a stored dictionary; what is known of one is only put together when it is asked for."""

    def __init__(self, table: pa.Table):
        self._table = table.combine_chunks()
        self._rows = {text: row for row, text in enumerate(table["text"].to_pylist())}

    def __getitem__(self, text: str) -> KnownValue:
        row = self._table.slice(self._rows[text], 1).to_pylist()[0]
        columns = dict(zip(row["columns"], row["weights"], strict=True))
        return KnownValue(tuple(row["spellings"]), columns, row["is_value"], frozenset(row["exceptions"]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Dictionaries:
    """The dictionaries below one storage root."""

    def __init__(self, root: str):
        self._folder = f"{root.rstrip('/')}/index/values"

    def publish(self, keys: Mapping[str, str]) -> str:
        """Write the manifest of (database → key) and return its digest."""
        document = {"format": _FORMAT, "dictionaries": dict(sorted(keys.items()))}
        digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
        write_json(self._manifest_path(digest), document)
        return digest

    def keys(self, digest: str | None) -> dict[str, str]:
        """Return which database has which dictionary; none where nothing was published.

        Raises:
            DictionaryNotFoundError: the manifest is missing or damaged.
        """
        if digest is None:
            return {}
        path = self._manifest_path(digest)
        try:
            return dict((read_json(path) or {})["dictionaries"])
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise _damaged(path, error) from error

    def has(self, key: str) -> bool:
        """Tell whether a dictionary has been written and can be read."""
        try:
            self._read(key, "values")
        except DictionaryNotFoundError:
            return False
        return True

    def write(self, key: str, dictionary: ValueDictionary, sample: Sample) -> None:
        """Write a dictionary with the sample it was learned from; equal ones give equal bytes."""
        write_bytes(self._path(key), _as_bytes(dictionary, sample))

    def read(self, key: str) -> ValueDictionary:
        """Return a dictionary.

        Raises:
            DictionaryNotFoundError: the file is missing or damaged.
        """
        values, facts = self._read(key, "values")
        slots = facts["slots"]
        return ValueDictionary(
            StoredValues(values),
            facts["labels"],
            SlotModel(*(_counters(slots[part]) for part in ("before", "after", "kinds"))),
        )

    def read_sample(self, key: str) -> Sample:
        """Return the sample a dictionary was learned from.

        Raises:
            DictionaryNotFoundError: the file is missing or damaged.
        """
        sample, _ = self._read(key, "sample")
        return list(zip(sample["text"].to_pylist(), sample["column"].to_pylist(), strict=True))

    def sweep(self, needed: Iterable[str | None]) -> None:
        """Remove every manifest of another digest, and the dictionaries that none of the others names."""
        kept = {digest for digest in needed if digest}
        names = {self._manifest_path(digest) for digest in kept}
        names |= {self._path(key) for digest in kept for key in self.keys(digest).values()}
        fs, inner = filesystem(self._folder)
        keeping = {filesystem(name)[1] for name in names}
        for path in map(str, fs.glob(f"{inner}/*")):
            if path not in keeping:
                fs.rm_file(path)

    def _read(self, key: str, part: str) -> tuple[pa.Table, dict[str, Any]]:
        path = self._path(key)
        try:
            fs, inner = filesystem(path)
            content = fs.cat_file(inner)
            with pa.BufferReader(content) as file:
                parts = {}
                while file.tell() < file.size():
                    table = pa.ipc.open_stream(file).read_all()
                    facts = json.loads((table.schema.metadata or {})[b"facts"])
                    parts[facts["part"]] = (table, facts)
            return parts[part]
        except (KeyError, ValueError, OSError, pa.ArrowException) as error:
            raise _damaged(path, error) from error

    def _path(self, key: str) -> str:
        return f"{self._folder}/{key}.arrow"

    def _manifest_path(self, digest: str) -> str:
        return f"{self._folder}/{digest}.json"


def dictionary_key(content_digest: str, sample: Sample, version: int) -> str:
    """Return the name of the dictionary that is learned from rows of this digest and this sample."""
    return hashlib.sha256(json.dumps([_FORMAT, version, content_digest, sorted(sample)]).encode()).hexdigest()


def _damaged(path: str, error: Exception) -> DictionaryNotFoundError:
    return DictionaryNotFoundError(
        f"the dictionary of values {path} is missing or damaged ({type(error).__name__}: {error}), so the index was "
        "copied in part; copy it whole, or delete the index folder and run 'feedback-pipeline run'"
    )


def _as_bytes(dictionary: ValueDictionary, sample: Sample) -> bytes:
    slots = dictionary.slots
    parts = {"before": slots.before, "after": slots.after, "kinds": slots.kinds}
    facts = {"labels": dict(dictionary.labels), "slots": parts}
    values = pa.Table.from_pylist([_row(*pair) for pair in sorted(dictionary.values.items())], _VALUES)
    with io.BytesIO() as file:
        for name, table, more in (("values", values, facts), ("sample", _as_table(sample), {})):
            document = json.dumps({"part": name, **more}, sort_keys=True)
            with pa.ipc.new_stream(file, table.schema.with_metadata({"facts": document})) as stream:
                stream.write_table(table)
        return file.getvalue()


def _row(text: str, known: KnownValue) -> dict[str, Any]:
    return {
        "text": text,
        "spellings": list(known.spellings),
        "columns": sorted(known.columns),
        "weights": [known.columns[column] for column in sorted(known.columns)],
        "is_value": known.is_value,
        "exceptions": sorted(known.exceptions),
    }


def _as_table(sample: Sample) -> pa.Table:
    return pa.Table.from_pylist([{"text": text, "column": column} for text, column in sorted(sample)], _SAMPLE)


def _counters(document: Mapping[str, Mapping[str, float]]) -> dict[str, Counter[str]]:
    return {name: Counter(counts) for name, counts in document.items()}
