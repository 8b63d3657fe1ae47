"""Looking for thousands of texts at once, word by word: one pass over what is searched, however many there are."""

import re
from collections.abc import Iterable
from typing import Any

_WORDS = re.compile(r"\w+|[^\w\s]")
_ESCAPED = re.compile(r"\\[nrt]|\\(?=['\"|])")
_ENOUGH_WORDS = 40
"""Of a longer text only the beginning is looked for: whoever quotes it quotes that."""
_END = ""


class Phrases:
    """Texts as a tree of words; a text counts as found where all its words follow each other, whatever lies between."""

    def __init__(self, texts: Iterable[str]):
        self._tree: dict[str, Any] = {}
        for text in texts:
            node = self._tree
            for word in _WORDS.findall(text)[:_ENOUGH_WORDS]:
                node = node.setdefault(word, {})
            node[_END] = {}

    def found_in(self, text: str) -> bool:
        """Tell whether any of the texts stands in ``text``, from word border to word border."""
        # Messages quote with escapes, tables with escaped bars.
        words = _WORDS.findall(_ESCAPED.sub(" ", text))
        return any(self._begins(words, start) for start, word in enumerate(words) if word in self._tree)

    def _begins(self, words: list[str], start: int) -> bool:
        node = self._tree
        for place in range(start, len(words)):
            if words[place] not in node:
                return False
            node = node[words[place]]
            if _END in node:
                return True
        return False
