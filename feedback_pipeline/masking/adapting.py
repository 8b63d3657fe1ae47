"""Adapted SQL: an example's SQL with the values of the question that is asked in the place of its own.

Offered only where every value is resolved without doubt; a wrong offer is worse than none. So both questions must say
the same in the same order of words, and each value that differs must stand in the SQL, in a column that the new value
is known for. Nothing is parsed: the places of the literals are known from the index.
"""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from feedback_pipeline.masking.adapted_literals import (
    DoubtError,
    SqlLiteral,
    may_be_reckoned,
    number_in,
    value_for,
    written,
)
from feedback_pipeline.masking.found import FoundValue, MaskedQuestion
from feedback_pipeline.masking.masker import MAX_CHARACTERS
from feedback_pipeline.masking.question_shape import labels_of_slots, shape_of, words_of

_KEY = re.compile(r"(?:^|[._])(?:id|key|code)$")
"""A column whose values name a row; as a constant it may follow from the value that changes."""
_BARE_LABELS = ("value", "date", "time", "id", "number")
"""What masking writes for a value of which it only knows the form."""
_QUOTES = "\"'`“”‘’«»„"
_OPENING = tuple("\"'`“‘«„")
_CODE = re.compile(r"(?=.*\d)(?=.*[^\W\d_])\S+", re.DOTALL)
"""Letters and digits in one word: what tells rows apart, often by its case."""


@dataclass(frozen=True)
class Substitution:
    """A literal of the example's SQL that another value took the place of.

    Attributes:
        column: what it is compared with, as ``table.column``; None for a number of rows or of groups.
        before: the example's value, without quotes.
        after: the value of the question that is asked.
        start: where the literal begins in the example's SQL, in characters, quotes included.
        end: where it ends.

    """

    column: str | None
    before: str
    after: str
    start: int
    end: int


@dataclass(frozen=True)
class Adaptation:
    """An example's SQL made to answer another question, and what was changed; nothing, where both name the same."""

    sql: str
    substitutions: tuple[Substitution, ...]


@dataclass(frozen=True)
class _Swap:
    """A value of the example's question and the one in its place, with the words they are named by."""

    old: FoundValue
    new: FoundValue
    said: str
    asked: str
    may_differ: bool
    """Whether the new value may be of another column: it can be, and the words beside it speak for one."""


def adapt(
    sql: str, literals: Sequence[SqlLiteral], example: MaskedQuestion, asked: MaskedQuestion
) -> Adaptation | None:
    """Return the example's SQL with the values that are asked for, None where any value is in doubt.

    Args:
        sql: the example's verified SQL.
        literals: its literals, as ``curation.sql_values`` finds them.
        example: the example's question, masked by the dictionary of its database.
        asked: the question that is asked, masked by the same dictionary.

    """
    try:
        return adapt_or_doubt(sql, literals, example, asked)
    except DoubtError:
        return None


def adapt_or_doubt(
    sql: str, literals: Sequence[SqlLiteral], example: MaskedQuestion, asked: MaskedQuestion
) -> Adaptation:
    """Do the same as ``adapt``, but say what is in doubt.

    Raises:
        DoubtError: the values cannot be swapped with certainty.

    """
    if max(len(example.question), len(asked.question)) > MAX_CHARACTERS:
        raise DoubtError("a question that is not masked to its end")
    if len(example.values) != len(asked.values) or shape_of(example) != shape_of(asked):
        raise DoubtError("the questions differ in more than values")
    swaps = _swaps(example, asked)
    chosen = [(literal, swap) for literal in literals if (swap := _swap_of(literal, swaps))]
    _require_all_used(swaps, chosen)
    changed = {id(literal) for literal, _ in chosen}
    _require_independent([one for one in literals if id(one) not in changed], chosen, example)
    return _rewritten(sql, chosen)


def agreeing(offers: Sequence[tuple[Adaptation | None, Hashable]]) -> list[Adaptation | None]:
    """Keep of the adaptations offered for one question those that agree with the best one.

    Args:
        offers: adaptation of each example and what tells its SQL skeleton from others, best first.

    """
    first = next((skeleton for adaptation, skeleton in offers if adaptation), None)
    return [adaptation if skeleton == first else None for adaptation, skeleton in offers]


def _swaps(example: MaskedQuestion, asked: MaskedQuestion) -> list[_Swap]:
    """Pair the values by their order, which is sure because the words between them are the same."""
    pairs: dict[str, _Swap] = {}
    labels = zip(labels_of_slots(example), labels_of_slots(asked), strict=True)
    for old, new, (label, asked_label) in zip(example.values, asked.values, labels, strict=True):
        may_differ = asked_label not in (label, *_BARE_LABELS) and not _is_narrower(new, old)
        said, wanted = _said(example, old), _said(asked, new)
        swap = _Swap(_as_said(example, old), _as_wanted(asked, new), said, wanted, may_differ)
        if pairs.setdefault(swap.said, swap).asked != swap.asked:
            raise DoubtError("one value would become two")
    return [swap for swap in pairs.values() if swap.said != swap.asked]


def _is_narrower(new: FoundValue, old: FoundValue) -> bool:
    """Tell whether the new value can mean nothing that the old one could not."""
    return new.kind == old.kind == "known" and set(new.columns) <= set(old.columns)


def _as_said(example: MaskedQuestion, old: FoundValue) -> FoundValue:
    """Return a value that stands in quotes as such, known or not."""
    return replace(old, kind="quoted") if example.question.startswith(_OPENING, old.start) else old


def _as_wanted(asked: MaskedQuestion, new: FoundValue) -> FoundValue:
    """Return a value that stands in quotes or is a code to the letter: a known one that differs in case is another."""
    text = asked.question[new.start : new.end]
    exact = _exact(text, new)
    if exact is None:
        return new
    if new.kind == "known" and exact in new.spellings:
        return replace(new, spellings=(exact,))
    return replace(new, kind="quoted" if text.startswith(_OPENING) else "id", spellings=(exact,))


def _exact(text: str, value: FoundValue) -> str | None:
    """Return what a text in quotes, an id or a code says to the letter; None for words and numbers."""
    if text.startswith(_OPENING):
        return text.strip(f"{_QUOTES} ")
    is_code = value.kind == "id" or (value.kind == "known" and _CODE.fullmatch(text))
    return text if is_code else None


def _said(masked: MaskedQuestion, value: FoundValue) -> str:
    text = masked.question[value.start : value.end]
    return number_in(text) or _exact(text, value) or " ".join(words_of(text))


def _swap_of(literal: SqlLiteral, swaps: Sequence[_Swap]) -> _Swap | None:
    found = [swap for swap in swaps if _says(literal, swap.old)]
    if len(found) > 1:
        raise DoubtError("one literal stands for two values")
    if found:
        _require_column(literal, found[0])
    return found[0] if found else None


def _says(literal: SqlLiteral, value: FoundValue) -> bool:
    if literal.kind == "number":
        number = number_in(literal.text)
        return number is not None and any(number_in(spelling) == number for spelling in value.spellings)
    return literal.text.casefold() in {spelling.casefold() for spelling in value.spellings}


def _require_column(literal: SqlLiteral, swap: _Swap) -> None:
    if swap.may_differ:
        raise DoubtError("the new value may mean something else")
    if literal.kind == "number" and number_in(swap.asked):
        return
    if literal.column is None:
        raise DoubtError("a text that is compared with no column")
    if swap.new.kind == "known" and literal.column not in swap.new.columns:
        raise DoubtError("the new value is not known for the column")


def _require_all_used(swaps: Sequence[_Swap], chosen: Sequence[tuple[SqlLiteral, _Swap]]) -> None:
    for swap in swaps:
        places = [literal for literal, used in chosen if used is swap]
        if not places:
            raise DoubtError("a value of the question does not stand in the SQL")
        columns = {literal.column for literal in places}
        is_number = any(literal.kind == "number" for literal in places)
        if is_number and len(places) > 1 and (len(columns) > 1 or None in columns):
            raise DoubtError("a number that stands in several places by chance")


def _require_independent(
    staying: Sequence[SqlLiteral], chosen: Sequence[tuple[SqlLiteral, _Swap]], example: MaskedQuestion
) -> None:
    """Refuse where a literal that stays may follow from a value that goes, as a state from its city."""
    if not chosen:
        return
    question = _padded(example.question)
    columns = {literal.column for literal, _ in chosen}
    gone = {_padded(literal.text) for literal, _ in chosen}
    for literal in staying:
        text = _padded(literal.text)
        if not text.strip():
            continue
        if any(old in text or text in old for old in gone):
            raise DoubtError("another literal holds a part of the old value")
        if text not in question and (
            _may_follow(literal, columns) or may_be_reckoned(literal.text, [old.text for old, _ in chosen])
        ):
            raise DoubtError("a value that the question does not name")


def _padded(text: str) -> str:
    return f" {' '.join(words_of(text))} "


def _may_follow(literal: SqlLiteral, columns: set[str | None]) -> bool:
    """Tell whether a constant that is not named may depend on another value: a text, a key, the end of a range."""
    if literal.kind == "text" or literal.column is None:
        return literal.kind == "text"
    return literal.column in columns or bool(_KEY.search(literal.column))


def _rewritten(sql: str, chosen: Sequence[tuple[SqlLiteral, _Swap]]) -> Adaptation:
    pieces: list[str] = []
    substitutions: list[Substitution] = []
    place = 0
    for literal, swap in sorted(chosen, key=lambda pair: pair[0].start):
        value = value_for(sql, literal, swap.old, swap.new)
        pieces += [sql[place : literal.start], written(sql, literal, value)]
        place = literal.end
        substitutions.append(Substitution(literal.column, literal.text, value, literal.start, literal.end))
    return Adaptation("".join([*pieces, sql[place:]]), tuple(substitutions))
