"""Vectors of texts already embedded, per model: a text is embedded once, however often the index is built."""

import hashlib
from collections.abc import Sequence, Set
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from feedback_pipeline.tables.files import filesystem, sha256, write_bytes
from feedback_pipeline.tables.parquet import parquet_bytes

_SHARDS_BEFORE_MERGE = 64


_ROOT = "cache/embeddings"


def text_key(text: str) -> str:
    """Return the key of a text: the first 32 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class EmbeddingCache:
    """Append-only shards of ``key, vector`` for one embedding model."""

    def __init__(self, root: str, model_fingerprint: str, dimension: int):
        self._folder = f"{root.rstrip('/')}/{_ROOT}/{model_fingerprint}"
        self._schema = pa.schema([pa.field("key", pa.string()), pa.field("vector", pa.list_(pa.float32(), dimension))])

    def load(self) -> pa.Table:
        """Return all cached rows: key (32 hex digits) and vector."""
        read: dict[str, pa.Table] = {}
        while missing := [path for path in self._shards() if path not in read]:
            for path in missing:
                # A shard that another process has merged meanwhile: the next listing has the merged one.
                with suppress(FileNotFoundError):
                    read[path] = self._read(path)
        return self._concatenated(list(read.values()))

    def append(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Add one shard.

        Args:
            texts: texts that are not cached yet.
            vectors: float32 of shape (len(texts), dimension).

        """
        dimension = self._schema.field("vector").type.list_size
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), dimension)
        keys = pa.array([text_key(text) for text in texts], pa.string())
        self._write(pa.table([keys, column], schema=self._schema))
        self._merge_shards()

    def _merge_shards(self) -> None:
        shards = self._shards()
        if len(shards) <= _SHARDS_BEFORE_MERGE:
            return
        fs, _ = filesystem(self._folder)
        try:
            merged = self._write(self._concatenated([self._read(path) for path in shards]))
        except FileNotFoundError:
            # Another process is merging them.
            return
        for path in shards:
            if not path.endswith(merged):
                with suppress(FileNotFoundError):
                    fs.rm_file(path)

    def _write(self, table: pa.Table) -> str:
        content = parquet_bytes(table)
        name = _shard_name(content)
        write_bytes(f"{self._folder}/{name}", content)
        return name

    def _concatenated(self, shards: list[pa.Table]) -> pa.Table:
        return pa.concat_tables(shards).combine_chunks() if shards else self._schema.empty_table()

    def _read(self, path: str) -> pa.Table:
        fs, _ = filesystem(self._folder)
        with fs.open(path, "rb") as file:
            return pq.read_table(file).cast(self._schema)

    def _shards(self) -> list[str]:
        fs, inner = filesystem(self._folder)
        return sorted(str(path) for path in fs.glob(f"{inner}/shard-*.parquet"))


def keys_in_cache(root: str, keys: Set[str]) -> int:
    """Return how many vectors of ``keys`` are cached below ``root``, for whichever model."""
    fs, shards = _all_shards(root)
    return sum(int(_matching(_read_shard(fs, path), keys).sum()) for path in shards)


def forget(root: str, keys: Set[str]) -> int:
    """Remove the vectors of ``keys`` from the caches of all models below ``root``; return how many there were."""
    fs, shards = _all_shards(root)
    return sum(_rewrite_shard(fs, path, keys) for path in shards)


def forget_all_but(root: str, keys: Set[str]) -> int:
    """Remove every vector that is not of ``keys`` from the caches of all models; return how many there were."""
    fs, shards = _all_shards(root)
    cached = {key for path in shards for key in _read_shard(fs, path)["key"].to_pylist()}
    return forget(root, cached - keys)


def _rewrite_shard(fs: AbstractFileSystem, path: str, keys: Set[str]) -> int:
    shard = _read_shard(fs, path)
    matching = _matching(shard, keys)
    if not matching.any():
        return 0
    kept = shard.filter(pa.array(~matching))
    if kept.num_rows:
        content = parquet_bytes(kept)
        write_bytes(fs.unstrip_protocol(f"{path.rsplit('/', 1)[0]}/{_shard_name(content)}"), content)
    fs.rm_file(path)
    return int(matching.sum())


def _matching(shard: pa.Table, keys: Set[str]) -> np.ndarray:
    return np.array([key in keys for key in shard["key"].to_pylist()], bool)


def _all_shards(root: str) -> tuple[AbstractFileSystem, list[str]]:
    fs, inner = filesystem(f"{root.rstrip('/')}/{_ROOT}")
    return fs, sorted(str(path) for path in fs.glob(f"{inner}/*/shard-*.parquet"))


def _read_shard(fs: AbstractFileSystem, path: str) -> pa.Table:
    with fs.open(path, "rb") as file:
        return pq.read_table(file)


def _shard_name(content: bytes) -> str:
    return f"shard-{sha256(content)[:16]}.parquet"
