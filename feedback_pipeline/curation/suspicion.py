"""A cheap first look at a text, which tells whether it can hold personal data or a secret at all.

The libraries that can tell for sure take seconds to import and a tenth of a millisecond per text. What stands here is
no judgement: a text that passes is only worth their time. It must never hide what they would find; where a rule of
``personal_data`` lets something go (a plain date, a number without a word that makes it a phone), the same function
decides in both places.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

MIN_PHONE_DIGITS = 7
MIN_CARD_DIGITS = 12
CONTEXT_CHARS = 40
"""How far before a number a word may stand that makes it a phone number."""

_PHONE_WORDS = re.compile(
    r"(?<![^\W\d_])(?<!<)(?:(?:cell|mobile|smart)?[\s_-]?phones?|telephone|telefon|t[eé]l[eé]fono?|tel(?![^\W\d_])|mobile|"
    r"cell[\s_-]?(?:mobile|numbers?|no)|m[oó]vil|fax|whatsapp|contact[\s_-]?(?:numbers?|no))",
    re.IGNORECASE,
)
_OTHER_NAME = re.compile(
    r"(?:\d|[A-Z]>)\W+(?!(?:and|or|to|bis|und|oder|y|et|ou|e|o)(?:\W+\Z|\W+[\d<]))(?=[^\W\d])", re.IGNORECASE
)
"""A number, or the placeholder of one, and then a word: what follows is no longer about what stands before.

Unless the word is "and" or the like, and another number follows.
"""
_NUMBER_RUN = re.compile(r"\d(?:[^\dA-WYZa-wyz,;:'\"]{0,6}\d)*")
_PLAIN_VALUE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ]\d{1,2})?"  # a date, with the hour of a time
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}(?: \d{1,2})?"
    r"|\d+\.\d+"  # a decimal number
    r"|\d{4} ?[-–—/] ?\d{2,4}"  # years, seasons, numbers of a fleet
    r"|\d{1,3}(?:[ .]\d{3})+"  # thousands in groups
    r"|\d{5}-\d{4}"  # an American zip code
)
_TRUNK_OR_AREA = re.compile(r"\(?0\d|\(\d{1,5}\)")
_AMERICAN = re.compile(r"(?<!\d)\d{3}\D{1,4}\d{3}\D{1,4}\d{4}(?!\d)")
_TRUNK_OR_AREA_ANYWHERE = re.compile(rf"(?<!\d)(?:{_TRUNK_OR_AREA.pattern})")
_SHAPES = re.compile(
    r"@"
    r"|[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2}"  # IBAN
    r"|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"  # IPv4
    r"|[0-9A-Fa-f]::|::[0-9A-Fa-f]|(?:[0-9A-Fa-f]{1,4}:){5}"  # IPv6, MAC
    r"|(?:[0-9A-Fa-f]{2}-){5}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\."
    r"|(?<![^\W_])(?:[Bb][Cc]1|[13])[0-9A-Za-z]{25}"  # Bitcoin
    r"|(?<![^\W_])[A-Za-z]{6}(?=[A-Za-z]*\d)[0-9A-Za-z]{10}(?![^\W_])"  # Italian fiscal code
    r"|\d{6}-?[A-Za-z]|\d{7}-?[A-Za-z]"  # national ids that end in a letter or hold one
)
_LOWER_IBAN = re.compile(r"(?<![^\W_])[a-z]{2}\d{2}(?:[ -]?[a-z0-9]{4}){2,7}(?:[ -]?[a-z0-9]{1,3})?(?![^\W_])")
_TWO_DIGITS = re.compile(r"\d\d")
_WILDCARDS = str.maketrans("%_", "  ")
_SECRET_WORDS = re.compile(r"key|pass|pwd|secret|contrase|kennwort|://|eyj|xox[a-z]-\d", re.IGNORECASE)
_PASSWORD_WORDS = re.compile(r"key|pass|pwd|secret|contrase|kennwort", re.IGNORECASE)
_LONG_TOKEN = re.compile(r"[0-9A-Za-z_+/=.-]{18}")


def readings(text: str) -> Iterator[tuple[str, Sequence[int] | None]]:
    """Yield a text as it is, then as people may mean it, with the place in the text that each sign comes from.

    Wide and other compatibility signs become plain, a small-lettered IBAN large, wildcards of LIKE blanks.
    """
    yield text, None
    plain, places = (text, None) if text.isascii() else _with_plain_signs(text)
    if _TWO_DIGITS.search(plain):
        plain = _LOWER_IBAN.sub(lambda found: found[0].upper(), plain)
    if plain != text:
        yield plain, places
    if "%" in plain or "_" in plain:
        yield plain.translate(_WILDCARDS), places


def _with_plain_signs(text: str) -> tuple[str, Sequence[int] | None]:
    if unicodedata.is_normalized("NFKC", text):
        return text, None
    signs = [(plain, place) for place, sign in enumerate(text) for plain in unicodedata.normalize("NFKC", sign)]
    return "".join(plain for plain, _ in signs), [place for _, place in signs]


def may_hold_personal_data(text: str, before: str = "") -> bool:
    """Tell whether ``text`` is worth the recognisers; ``before`` is what stands in front of it where it comes from."""
    return bool(_SHAPES.search(text)) or any(
        _is_notable(run[0], text, run.start(), before) for run in _NUMBER_RUN.finditer(text)
    )


def may_hold_secret(text: str) -> bool:
    """Tell whether ``text`` is worth the detectors of secrets."""
    return bool(_SECRET_WORDS.search(text) or _LONG_TOKEN.search(text))


def may_name_secret(text: str) -> bool:
    """Tell whether a word like ``password`` stands in ``text``, to which something may be assigned."""
    return bool(_PASSWORD_WORDS.search(text))


def is_plain_value(text: str) -> bool:
    """Tell whether digits are written as a date, a decimal number, years or thousands: values, whatever they match."""
    return bool(_PLAIN_VALUE.fullmatch(text.strip()))


def is_name_of_phone(name: str) -> bool:
    """Tell whether a column with this name holds phone numbers."""
    return bool(_PHONE_WORDS.search(name))


def names_a_phone(text: str, start: int, before: str = "") -> bool:
    """Tell whether a word like "phone" stands shortly before ``text[start:]``."""
    lead = (before + text[:start])[-CONTEXT_CHARS:] if start < CONTEXT_CHARS else text[start - CONTEXT_CHARS : start]
    return bool(_PHONE_WORDS.search(_OTHER_NAME.split(lead)[-1]))


def is_written_nationally(number: str) -> bool:
    """Tell whether a phone number without country code begins with 0 or an area in brackets, or is grouped 3-3-4."""
    return bool(_TRUNK_OR_AREA.match(number) or _AMERICAN.search(number))


def may_hold_national_number(text: str, before: str = "") -> bool:
    """Tell whether ``text`` is worth a search for phone numbers without country code."""
    named = _PHONE_WORDS.search(before) or _PHONE_WORDS.search(text)
    return bool(named or _TRUNK_OR_AREA_ANYWHERE.search(text) or _AMERICAN.search(text))


def names_a_version(text: str, start: int) -> bool:
    """Tell whether ``text[start:]`` begins with a version such as 4.7.0.208 rather than an address."""
    return "version" in text[max(0, start - CONTEXT_CHARS) : start + CONTEXT_CHARS].lower()


def _is_notable(run: str, text: str, start: int, before: str) -> bool:
    digits = sum(sign.isdigit() for sign in run)
    if digits < MIN_PHONE_DIGITS or is_plain_value(run):
        return False
    bare = run.isdigit() and digits < MIN_CARD_DIGITS and text[max(0, start - 1) : start] not in {"+", "＋"}
    return not bare or names_a_phone(text, start, before)
