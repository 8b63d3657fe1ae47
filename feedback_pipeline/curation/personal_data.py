"""Finds personal data with the pattern recognisers of presidio-analyzer, without models and without the network.

The recognisers are called one by one. An AnalyzerEngine around them would add tokens and lemmas of a spaCy pipeline,
which none of these recognisers reads. Here stand the choice of entities and when a match is believed; the patterns,
checksums and numbering plans are the library's. Importing this module is cheap, the first search is not.
"""

import ipaddress
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from feedback_pipeline.curation.suspicion import (
    MIN_PHONE_DIGITS,
    is_plain_value,
    is_written_nationally,
    may_hold_national_number,
    names_a_phone,
    names_a_version,
)

_PIECE = 2_000
_OVERLAP = 340
"""No entity is longer; one that lies across the end of a piece is found in the next."""

Search = Callable[[str, str], Iterable[tuple[int, int, str]]]
"""Yields start, end and kind of what it finds in a text, given what stands in front of it."""

_REGIONS = ("US", "GB", "DE", "FR", "IT", "ES", "NL", "AU", "IN", "BR")
_STRICT_GROUPING, _VALID = 2, 1
_MIN_DIGITS_WITHOUT_PHONE_WORD = 9
_MIN_SCORE = 0.5


@dataclass(frozen=True)
class Found:
    """Where something stands in a text, and what it is."""

    start: int
    end: int
    kind: str


def find_personal_data(text: str, before: str = "") -> list[Found]:
    """Return personal data in ``text``, possibly overlapping; ``before`` is what stands in front of the text."""
    found = {}
    for offset, piece in pieces(text):
        lead = before + text[max(0, offset - _OVERLAP) : offset]
        for search in _searches():
            for start, end, kind in search(piece, lead):
                match = Found(offset + start, offset + end, kind)
                if _is_believed(match, text, before):
                    found[match] = None
    return list(found)


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield a text in overlapping pieces with their offsets: some patterns of the libraries take quadratic time."""
    for offset in range(0, max(1, len(text) - _OVERLAP), _PIECE - _OVERLAP):
        yield offset, text[offset : offset + _PIECE]


def _is_believed(match: Found, text: str, before: str) -> bool:
    if match.kind == "EMAIL_ADDRESS":
        return True
    written = text[match.start : match.end]
    if _continues(text, match.start, match.end) or is_plain_value(written):
        return False
    if match.kind == "PHONE_NUMBER":
        return _is_phone(match, text, before)
    if match.kind == "IP_ADDRESS":
        return _is_of_a_host(written) and not names_a_version(text, match.start)
    if match.kind == "CREDIT_CARD":  # no card that people hold begins with 1, but times in microseconds do
        return written[0] != "1"
    return match.kind in ("IBAN_CODE", "CRYPTO") or not written.isdigit()


def _continues(text: str, start: int, end: int) -> bool:
    """Tell whether a match is only part of a longer word or number, such as the decimals of 0.5830851234."""
    left, right = text[max(0, start - 2) : start], text[end : end + 2]
    return _joins(left[::-1]) or _joins(right)


def _joins(neighbours: str) -> bool:
    return neighbours[:1].isalnum() or (neighbours[:1] in {".", ","} and neighbours[1:2].isdigit())


def _is_phone(match: Found, text: str, before: str) -> bool:
    written = text[match.start : match.end]
    digits = [place for place, sign in enumerate(written) if sign.isdigit()]
    if len(digits) < MIN_PHONE_DIGITS:
        return False
    if names_a_phone(text, match.start + digits[0], before) or written.lstrip("([（［")[0] in "+＋":
        return True
    grouped = len(digits) >= _MIN_DIGITS_WITHOUT_PHONE_WORD and not written.isdigit()
    return grouped and is_written_nationally(written)


def _is_of_a_host(written: str) -> bool:
    """Tell whether an address can belong to somebody's machine; network masks and groups cannot."""
    address = ipaddress.ip_interface(written).ip
    if address.is_multicast or address.is_loopback or address.is_unspecified:
        return False
    return address.version == 6 or not (address.is_reserved or int(address) >> 24 == 0)


@contextmanager
def _as_if_not_installed(*names: str) -> Iterator[None]:
    """Let optional dependencies look absent while a library is imported that would load them for nothing.

    Here they cost eight seconds and hundreds of megabytes in every process that checks. What is loaded already stays.
    """
    absent = [name for name in names if name not in sys.modules]
    # The documented way: None makes an import raise ModuleNotFoundError.
    sys.modules.update(dict.fromkeys(absent))  # pyright: ignore[reportArgumentType, reportCallIssue]
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


@lru_cache(maxsize=1)
def _searches() -> tuple[Search, ...]:
    """Load the library once, without torch and transformers: they serve recognisers that are not used here."""
    with _as_if_not_installed("torch", "transformers"):
        from presidio_analyzer import predefined_recognizers as known

    # The library may name what it looks at in its log.
    logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL)
    national_phones = known.PhoneRecognizer(supported_regions=_REGIONS, leniency=_STRICT_GROUPING)
    recognisers = (
        _email_recogniser(known),
        known.PhoneRecognizer(supported_regions=("ZZ",), leniency=_VALID),
        known.CreditCardRecognizer(),
        known.IbanRecognizer(),
        known.IpRecognizer(),
        known.MacAddressRecognizer(),
        known.CryptoRecognizer(),
        known.UsSsnRecognizer(),
        known.UsItinRecognizer(),
        known.NhsRecognizer(),
        known.EsNifRecognizer(),
        known.EsNieRecognizer(),
        known.ItFiscalCodeRecognizer(),
        known.FiPersonalIdentityCodeRecognizer(),
        known.SePersonnummerRecognizer(),
        known.DeSocialSecurityRecognizer(),
        known.InAadhaarRecognizer(),
        known.KrRrnRecognizer(),
    )
    return (
        _search_with(national_phones, may_hold_national_number),
        *(_search_with(recogniser) for recogniser in recognisers),
    )


def _search_with(recogniser: Any, is_worth_it: Callable[[str, str], bool] = lambda text, before: True) -> Search:
    least = 0.0 if recogniser.supported_entities == ["PHONE_NUMBER"] else _MIN_SCORE

    def search(text: str, before: str) -> Iterator[tuple[int, int, str]]:
        if not is_worth_it(text, before):
            return
        for result in recogniser.analyze(text, recogniser.supported_entities, None):
            if result.score >= least:
                yield result.start, result.end, result.entity_type

    return search


def _email_recogniser(known: Any) -> Any:
    """Return presidio's recogniser on the list of domains that came with tldextract: no download, no cached file."""
    import tldextract

    split = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())

    class OfflineEmailRecognizer(known.EmailRecognizer):
        def validate_result(self, pattern_text: str) -> bool:
            return split(pattern_text).fqdn != ""

    return OfflineEmailRecognizer()
