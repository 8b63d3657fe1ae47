"""What can go wrong with the files of a training, told apart: a full disk, a damaged file, one that is out of reach."""

import errno
import os
import pickle
from pathlib import Path

from safetensors import SafetensorError

from feedback_pipeline.tables.files import StorageError

UNREADABLE = (
    *(OSError, ValueError, TypeError, EOFError, LookupError, AttributeError, RuntimeError),
    *(pickle.UnpicklingError, SafetensorError),
)
"""What JSON, torch, transformers and safetensors raise where a file is damaged."""

_DAMAGED = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL)
"""The last is what torch's reader is told by the system where a file is cut short."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_IN_WORDS = (*(os.strerror(code) for code in _FULL), "PytorchStreamWriter failed", "unexpected pos")
"""torch and safetensors tell of a full disk in words alone."""
_NO_MEMORY_IN_WORDS = ("out of memory", "can't allocate memory")
_GOES_ON = "it goes on from its last checkpoint, and what is in production is untouched"


class DamagedWorkError(RuntimeError):
    """What an earlier attempt has left cannot be read.

    Attributes:
        place: the file or folder.
    """

    def __init__(self, place: Path, error: Exception):
        super().__init__(f"{place} cannot be read ({type(error).__name__}: {error})")
        self.place = place


def tells_of_damage(error: Exception) -> bool:
    """Tell whether what was raised by reading a file means that another look at it would find the same."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _DAMAGED
    return not _is_full_disk(error) and not any(words in str(error) for words in _NO_MEMORY_IN_WORDS)


def as_storage_error(error: Exception, work: Path) -> StorageError | None:
    """Return what is told of an error of the file system, None where it is another one."""
    if _is_full_disk(error):
        reason = getattr(error, "strerror", None) or error
        return StorageError(f"training cannot write {work}: {reason}; free space, then run again: {_GOES_ON}")
    if isinstance(error, OSError) and error.errno is not None:
        return StorageError(
            f"training in {work} came to a stop: {error}; see to the rights, the mount or the device of that path, "
            f"then run again: {_GOES_ON}"
        )
    return None


def _is_full_disk(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    return any(words in str(error) for words in _FULL_IN_WORDS)
