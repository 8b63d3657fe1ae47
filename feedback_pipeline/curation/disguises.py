"""Other readings of a text, for detection only: what it says behind look-alikes, codes and spaced letters.

A reading is thrown away after the search; none is ever stored.
"""

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

_MAX_WORD = 40
_MAX_DECODED = 20_000
_WORDS = re.compile(r"[^\W_]+")
_APOSTROPHES = re.compile(r"(?<=\w)['’ʼ`](?=\w)")
_SPACED = re.compile(r"(?<!\w)(?:\w[\W_]{1,3}){5}\w(?!\w)")
_MIXED = re.compile(r"[a-z][0134578@$!|]|[0134578@$!|][a-z]")
_LEET = str.maketrans("0134578@$!|", "oieastbasii")
_LOOKALIKE_PAIRS = (
    "аa еe оo рp сc уy хx іi јj ѕs ԁd һh ԛq ԝw ӏl кk мm нh тt вb гr пn иu ьb яr "  # Cyrillic
    "αa βb γy εe ηn ιi κk μu νv οo ρp τt υu χx ωw σo "  # Greek
    "ɑa ɡg ɩi ıi ʟl ɴn ʀr ꜱs ᴀa ᴄc ᴅd ᴇe ɪi ᴊj ᴋk ᴍm ᴏo ᴘp ᴛt ᴜu ᴠv ᴡw ᴢz ʙb ɢg ʜh ʏy օo ոn սu"
)
_LOOKALIKES = str.maketrans({pair[0]: pair[1] for pair in _LOOKALIKE_PAIRS.split(" ")})
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}[ :]?){12,}")
_ESCAPES = re.compile(r"%[0-9A-Fa-f]{2}|&#?\w{2,8};|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}")
_BACKSLASH = re.compile(r"\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})")


def folded(text: str) -> str:
    """Return a text in lower case without accents and without the compatibility forms of Unicode."""
    if text.isascii():
        return text.lower()
    split = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", "".join(sign for sign in split if unicodedata.category(sign) != "Mn"))


def words(text: str) -> str:
    """Return the words of a text with one blank between them; overlong ones are cut."""
    return " ".join(word[:_MAX_WORD] for word in _WORDS.findall(_APOSTROPHES.sub("", text)))


def views(text: str) -> Iterator[str]:
    """Yield the readings of a folded text: as it is, behind look-alikes, digits for letters, rot13 and backwards."""
    yield text
    latin = text if text.isascii() else text.translate(_LOOKALIKES)
    if latin != text:
        yield latin
    if _MIXED.search(latin):
        yield latin.translate(_LEET)
    yield codecs.encode(latin, "rot13")
    yield latin[::-1]


def unspaced_words(text: str) -> str:
    """Return ``ignoreall`` for ``i g n o r e  a l l``: all words joined, or nothing where none is spaced out."""
    if not _SPACED.search(text):
        return ""
    return words(text.translate(_LOOKALIKES)).replace(" ", "")


def decoded(text: str) -> Iterator[str]:
    """Yield what is readable behind base64, hexadecimal numbers and escapes."""
    if _ESCAPES.search(text):
        yield _BACKSLASH.sub(lambda match: chr(int(match[1] or match[2], 16)), html.unescape(unquote(text)))
    for match in _HEX.finditer(text):
        yield from _readable(bytes.fromhex(re.sub("[ :]", "", match[0])[:_MAX_DECODED]))
    for match in _ENCODED.finditer(text):
        yield from _readable(_from_base64(match[0][:_MAX_DECODED]))


def _from_base64(token: str) -> bytes:
    plain = token.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "=" * (-len(plain) % 4))
    except binascii.Error:
        return b""


def _readable(data: bytes) -> Iterator[str]:
    """Yield the text that bytes are, if they are text."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    if text and sum(sign.isprintable() or sign.isspace() for sign in text) >= 0.9 * len(text):
        yield text
