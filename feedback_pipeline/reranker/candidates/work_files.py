"""Files of the work folder of a training."""

import json
import os
import shutil
from pathlib import Path
from typing import TypeVar

from feedback_pipeline.reranker.candidates.failures import UNREADABLE, DamagedWorkError, tells_of_damage

Kind = TypeVar("Kind")


def read_rows(path: Path, kind: type[Kind]) -> list[Kind]:
    """Return what an earlier attempt has left. Raises DamagedWorkError."""
    try:
        return [kind(**one) for one in json.loads(path.read_text())]
    except UNREADABLE as error:
        if not tells_of_damage(error):
            raise
        raise DamagedWorkError(path, error) from error


def link_tree(source: Path, target: Path) -> None:
    """Put a folder's files at ``target`` too, without copying them where the disk has hard links."""
    if not source.is_dir():
        return
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        try:
            os.link(path, place)
        except OSError:
            shutil.copyfile(path, place)
