"""A question in one canonical form: what two people would call the same words."""

import re
import unicodedata

_BLANKS = re.compile(r"\s+")
_EDGES = " \t\"'`“”‘’«».?!;:,…"


def canonical_question(text: str) -> str:
    """Return ``text`` without differences of case, blanks, Unicode form and closing punctuation.

    Values inside the question stay as they are, so "rivers in Texas" and "rivers in Ohio" remain two questions. So do
    "over 10²" and "over 102", which the compatibility forms of Unicode (NFKC) would make one.
    """
    plain = _BLANKS.sub(" ", unicodedata.normalize("NFC", text)).lower()
    return plain.strip(_EDGES) or plain.strip()
