"""The items of a JSON list, one by one, without holding the list."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from feedback_pipeline.intake.rows import InputFileError

CHARS_PER_READ = 64 * 1024
MAX_ITEM_CHARS = 16 * 1024 * 1024
BLANKS = " \t\r\n"


class _Cursor:
    """A window on the text that moves forward and grows where an item needs more."""

    def __init__(self, path: Path, content: BinaryIO):
        self.path, self.text, self.at, self.ended = path, "", 0, False
        self._content = codecs.getreader("utf-8-sig")(content)

    def more(self) -> bool:
        """Read on; as much again as is in the window, so that long items stay linear."""
        try:
            read = self._content.read(max(CHARS_PER_READ, len(self.text)))
        except UnicodeDecodeError as error:
            raise InputFileError(self.path, f"is not UTF-8 ({error.reason}); save it as UTF-8.") from error
        self.text, self.at = self.text[self.at :] + read, 0
        self.ended = not read
        return not self.ended

    def peek(self) -> str:
        """Return the next character that is no blank, or an empty text at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in BLANKS:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""


def list_rows(path: Path, content: BinaryIO) -> Iterator[Any]:
    """Yield the items of the JSON list in ``content``.

    Raises InputFileError where it is not a list or not JSON; unlike in JSON Lines nothing after that can be read.
    """
    cursor = _Cursor(path, content)
    if cursor.peek() != "[":
        raise InputFileError(path, "holds no JSON list; name it .jsonl if it holds one object per line.")
    cursor.at += 1
    number = 0
    while cursor.peek() != "]" or number:
        number += 1
        yield _item(cursor, number)
        if cursor.peek() == "]":
            return
        if cursor.peek() != ",":
            raise InputFileError(path, f"item {number} is followed by neither a comma nor the end of the list.")
        cursor.at += 1


def _item(cursor: _Cursor, number: int) -> Any:
    cursor.peek()
    decode = json.JSONDecoder().raw_decode
    while True:
        try:
            value, end = decode(cursor.text, cursor.at)
        except (ValueError, RecursionError) as error:
            if len(cursor.text) - cursor.at > MAX_ITEM_CHARS or not cursor.more():
                raise InputFileError(cursor.path, f"item {number} is not JSON ({error}).") from error
            continue
        # An item that ends where the window ends may be a part of a number.
        if end < len(cursor.text) or not cursor.more():
            cursor.at = min(end, len(cursor.text))
            return value
