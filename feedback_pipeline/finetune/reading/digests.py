"""The content digest of a release as it lies there, worked out anew from its rows: what ``dataset check`` compares."""

import hashlib
import json

import numpy as np

from feedback_pipeline.finetune.catalog import PROMPTS_FILE, DamagedReleaseError, Release, read_data, split_of_file
from feedback_pipeline.finetune.content.kind import kind_of
from feedback_pipeline.finetune.content.prompts import Prompts
from feedback_pipeline.finetune.content.rows import FINGERPRINT_BYTES, SPLITS, content_digest, row_keys
from feedback_pipeline.tables.files import read_json


def content_digest_of(release: Release) -> str:
    """Return the digest of the rows, splits and prompts of a release, read from its files one at a time.

    Raises:
        DamagedReleaseError: the prompts are missing.
        UnknownKindError: a later version of the software published it.
        OSError, pyarrow.ArrowException: a file cannot be read.
    """
    if "format" not in release.manifest:
        return _digest_before_format_2(release)
    kind = kind_of(release.manifest)
    keys, prints, splits = [np.zeros(0, np.uint64)], [np.zeros((0, FINGERPRINT_BYTES), np.uint8)], [np.zeros(0, int)]
    for path in release.data_files:
        rows = read_data(path)
        keys.append(row_keys(rows["row_id"]))
        prints.append(kind.fingerprints(rows))
        splits.append(np.full(rows.num_rows, SPLITS.index(split_of_file(path))))
    order = np.argsort(np.concatenate(keys), kind="stable")
    rendering = {**release.manifest["rendering"], **(_prompts_of(release) if kind.is_prompted else {})}
    return content_digest(np.concatenate(prints)[order], np.concatenate(splits)[order], rendering)


def _prompts_of(release: Release) -> dict[str, str]:
    document = read_json(f"{release.path}/{PROMPTS_FILE}")
    if document is None:
        raise DamagedReleaseError(f"{release.path}/{PROMPTS_FILE} is missing; restore it from a backup, or pull again")
    return {"prompts": Prompts.from_document(document).sha256}


def _digest_before_format_2(release: Release) -> str:
    """Return the SHA-256 over rows and splits as canonical JSON lines, in the order they are written."""
    digest = hashlib.sha256()
    for name in SPLITS:
        for path in (path for path in release.data_files if split_of_file(path) == name):
            for row in read_data(path).to_pylist():
                digest.update(json.dumps([name, row], sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()
