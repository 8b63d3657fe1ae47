"""Values that are known by their form alone: what stands in quotes, dates, times, ids, numbers and names.

Which column they stand for is for ``slots`` to tell. Written for questions of one or two lines.
"""

import re
from collections.abc import Iterator

from feedback_pipeline.masking.found import Kind

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?"
    r"|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
_YEAR = r"(?:1[5-9]|20|21)\d\d"
_MAGNITUDE = r"(?:[kKmM]|[mM][nN]|[bB][nN])"
_FORMS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "quoted",
        re.compile(
            r'"[^"\n]{1,200}"|“[^”\n]{1,200}”|«[^»\n]{1,200}»|„[^“”\n]{1,200}[“”]'
            r"|(?<!\w)'(?!s\b)[^'\n]{1,200}'(?!\w)|‘[^’\n]{1,200}’(?!\w)|`[^`\n]{1,200}`"
        ),
    ),
    (
        "date",
        re.compile(
            rf"(?<![\w-]){_YEAR}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?(?![\w-])"
            rf"|(?<![\w/])\d{{1,2}}[/.]\d{{1,2}}[/.](?:{_YEAR}|\d\d)(?![\w/])"
            rf"|(?<!\w){_MONTH}\.? {_DAY},? {_YEAR}(?!\w)|(?<!\w){_DAY} (?:of )?{_MONTH}\.?,? {_YEAR}(?!\w)"
            rf"|(?<!\w){_MONTH} {_DAY}(?!\w)|(?<!\w){_DAY} (?:of )?{_MONTH}(?!\w)",
            re.IGNORECASE,
        ),
    ),
    (
        "time",
        re.compile(
            r"(?<![\w:])\d{1,2}:\d\d(?::\d\d)?(?: ?[ap]\.?m\b\.?)?(?![\w:])"
            r"|(?<![\w:])\d{1,4} ?(?:[ap]\.?m\b\.?|o ?['’] ?clock\b)",
            re.IGNORECASE,
        ),
    ),
    (
        "id",
        re.compile(
            r"(?<![\w-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])"
            r"|(?<![\w@.-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
            r"|(?<![\w-])(?<!\d[.,])(?=[\w-]{0,40}\d)(?=[\w-]{0,40}[A-Za-z])"
            rf"(?!\d+(?:st|nd|rd|th|s|pm|am|{_MAGNITUDE})\b)[A-Za-z0-9][\w-]{{1,40}}(?![\w-])(?!\.\d)",
        ),
    ),
    (
        "number",
        re.compile(
            # All of it or nothing: of "1.5M", "4.5.2" or "1 500 000" no part is a number of its own.
            r"(?<![\w.])[-+]?(?:\d{1,3}(?: \d{3})++(?![\d ]*\d)|\d++)(?:[.,'’]\d++)*+"
            rf"(?:st|nd|rd|th|{_MAGNITUDE})?+(?!\w)(?! ?['’] ?clock)",
            re.IGNORECASE,
        ),
    ),
    (
        "name",
        re.compile(
            r"(?<![\w\"'“‘`])(?:[A-ZÀ-ÖØ-Þ][\w.&'’-]*\w)"
            r"(?: (?:of |the |and |de |van |von )?[A-ZÀ-ÖØ-Þ][\w.&'’-]*\w| &)*"
        ),
    ),
)
_SIGNS: dict[Kind, re.Pattern[str]] = {
    "quoted": re.compile(r"[\"“«„'‘`]"),
    "date": re.compile(r"\d"),
    "time": re.compile(r"\d"),
    "id": re.compile(r"[\d@-]"),
    "number": re.compile(r"\d"),
    "name": re.compile(r"[A-ZÀ-ÖØ-Þ]"),
}
"""Without one of these signs nothing can be of that form, which is quicker to tell than to search for it."""
_SMALL = re.compile(r"[a-zß-öø-ÿ]")


def formed_values(question: str) -> Iterator[tuple[int, int, Kind]]:
    """Yield (start, end, kind) of what looks like a value; surer kinds first, so spans may overlap later ones.

    Names are only told where small letters stand beside capitals, and never at the beginning of a sentence.
    """
    for kind, pattern in _FORMS:
        if not _SIGNS[kind].search(question) or (kind == "name" and not _SMALL.search(question)):
            continue
        for match in pattern.finditer(question):
            if kind != "name" or not _begins_sentence(question, match.start()):
                yield match.start(), match.end(), kind


def _begins_sentence(question: str, start: int) -> bool:
    before = question[:start].rstrip()
    return not before or before[-1] in ".?!:\"'“‘(["
