"""Why rows differ between two versions of a dataset: brings together ``finetune`` and ``store``.

The events of a row's feedback say who decided what; ``dropped.parquet`` says what the stages before a release and its
thresholds left out. Without a store only the latter is known. Rows of a reranker's dataset rest on rated answers
instead, of which only the rating and an erasure are known.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from feedback_pipeline.finetune.content.kind import RERANKER
from feedback_pipeline.finetune.reading.diff import SPLIT, Diff, RowDifference
from feedback_pipeline.finetune.reading.left_out import LeftOut, left_out
from feedback_pipeline.store import Event, Status, Store
from feedback_pipeline.store.erasures import erased_feedback, erased_interactions
from feedback_pipeline.store.histories import PastEvent, histories
from feedback_pipeline.store.transitions import TARGET

_INTO_USE = {Event.VERIFIED.value, Event.RESTORED.value}
_OUT_OF_USE = {
    event.value: status.value for event, status in TARGET.items() if status not in (Status.VERIFIED, Status.APPLIED)
}
"""The status that each event leads to after which feedback is no longer in use."""

_COUNTED_ELSEWHERE = {"duplicate", "merged"}
"""Feedback that a stage left out because another speaks for the same row: nothing is lost with it."""

_TOLD_BY_FEEDBACK = {"feedback_ids", "weight", "contributors", "verified_at", "natural_query", "source", "rated_in"}
"""Columns that follow from which feedback there is: where that has changed, they need no words of their own."""

_WORDS = {
    "schema_fingerprint": "the schema of the database is another",
    "evidence": "proven as far as '{new}', before as far as '{old}'",
    "cluster_id": "its group of near-duplicates and like queries is another",
    "weight": "weights were scaled anew, so that no user holds more than their share",
    "contributors": "users were counted anew",
    "verified_at": "its feedback was decided anew",
    "natural_query": "another wording of the question speaks for it",
    "sql": "the same query is written in another way",
    "generated_sql": "another wrong answer stands beside it",
    "results_differ": "its wrong answer was compared with it anew",
    "difference": "its wrong answer was compared with it anew",
    "wrong_sql": "other wrong answers stand beside it",
    "wrong_differences": "its wrong answers were compared with it anew",
    "rated_down": "users rated other answers to its question down",
    "sql_skeleton": "its SQL is analysed in another way",
    "difficulty": "its SQL is analysed in another way",
    SPLIT: "its group met one in '{new}': what is alike is never on both sides",
}
_WORDS_OF_QUERIES = {
    "positives": "other passages were helpful",
    "negatives": "other passages were not helpful",
    "query": "another wording of the query speaks for it",
    "source": "it is asked of another source",
    "cluster_id": "its group of near-duplicates is another",
    "positive_weights": "passages were weighed anew",
    "negative_weights": "passages were weighed anew",
    "positive_ranks": "passages were surfaced in other places",
    "negative_ranks": "passages were surfaced in other places",
    "negative_origins": "it is known in another way that a passage was not helpful",
    "contributors": "users were counted anew",
    SPLIT: _WORDS[SPLIT],
}
_NOT_KNOWN = "not known"
_NAMED = 5
"""Of the interactions behind a row."""


@dataclass(frozen=True)
class Cause:
    """One thing that explains a difference: in words, with the feedback and its event where it is one."""

    text: str
    feedback_id: str | None = None
    event: str | None = None
    actor: str | None = None
    reason: str | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class _Known:
    """What is known about the feedback and rows of some differences."""

    before: LeftOut
    after: LeftOut
    versions: tuple[int, int]
    events: Mapping[str, Sequence[PastEvent]] = field(default_factory=dict)
    erased: frozenset[str] = frozenset()
    has_store: bool = True


def explain(diff: Diff, rows: Sequence[RowDifference], store: Store | None) -> list[tuple[Cause, ...]]:
    """Return for each of some rows that differ what explains it, the most telling first; always something.

    Args:
        diff: what ``rows`` are from.
        rows: of any kind.
        store: where events of feedback are looked up; None where it cannot be reached.

    Raises:
        StoreUnavailableError: the store does not answer.
        DamagedReleaseError: a ``dropped.parquet`` cannot be read.
    """
    known = _look_up(diff, rows, store)
    why = _WHY_OF_QUERIES if diff.kind is RERANKER else _WHY
    return [tuple(dict.fromkeys(why[row.kind](row, known))) or (_unknown(known),) for row in rows]


def _look_up(diff: Diff, rows: Sequence[RowDifference], store: Store | None) -> _Known:
    row_ids = {row.row_id for row in rows}
    feedback_ids = {one for row in rows for one in _feedback_of(row)}
    old, new = diff.before.release, diff.after.release
    rests_on_feedback = diff.kind is not RERANKER
    erased: set[str] = set()
    if store is not None:
        journal = erased_feedback(store) if rests_on_feedback else erased_interactions(store)
        erased = {str(one) for ids in journal.values() for one in ids} & feedback_ids
    return _Known(
        before=left_out(old, row_ids, feedback_ids),
        after=left_out(new, row_ids, feedback_ids),
        versions=(old.version, new.version),
        events=histories(store, feedback_ids) if store is not None and rests_on_feedback else {},
        erased=frozenset(erased),
        has_store=store is not None,
    )


def _feedback_of(row: RowDifference) -> Iterable[str]:
    return {*row.feedback_ids, *_was_and_is(row)[0]}


def _was_and_is(row: RowDifference) -> tuple[Sequence[str], Sequence[str]]:
    """Return what a row that changed rested on, and rests on; nothing where that is the same."""
    return row.columns.get("feedback_ids") or row.columns.get("interaction_ids") or ((), ())


def _added(row: RowDifference, known: _Known) -> Iterator[Cause]:
    if row.same_question:
        yield Cause(f"the question had another answer before: row {row.same_question}")
    yield from _came(row.feedback_ids, known)
    version = known.versions[0]
    if reason := known.before.rows.get(row.row_id):
        yield Cause(f"v{version} left it out: {reason}")
    for feedback_id in row.feedback_ids:
        reason = known.before.feedback.get(feedback_id)
        if reason and reason not in _COUNTED_ELSEWHERE:
            yield Cause(f"v{version} left its feedback out: {reason}", feedback_id)


def _removed(row: RowDifference, known: _Known) -> Iterator[Cause]:
    yield from _left(row.feedback_ids, known, is_explained=row.row_id in known.after.rows)
    if reason := known.after.rows.get(row.row_id):
        yield Cause(f"left out: {reason}")
    if row.same_question:
        yield Cause(f"the question is answered in another spelling now: see row {row.same_question}")


def _changed(row: RowDifference, known: _Known) -> Iterator[Cause]:
    was, now = _was_and_is(row)
    yield from _came([one for one in now if one not in was], known)
    yield from _left([one for one in was if one not in now], known)
    told = _TOLD_BY_FEEDBACK if was or now else {"rated_in"}
    for column, (old, new) in row.columns.items():
        if column in _WORDS and column not in told:
            yield Cause(_WORDS[column].format(old=old, new=new))
    if "verified_at" in row.columns and not (was or now):
        yield from _came(row.feedback_ids, known)


def _came(feedback_ids: Iterable[str], known: _Known) -> Iterator[Cause]:
    """Yield the last event that brought each feedback into use."""
    for feedback_id in feedback_ids:
        past = [event for event in known.events.get(feedback_id, ()) if event.event in _INTO_USE]
        if past:
            yield _of_event(feedback_id, past[-1])


def _left(feedback_ids: Iterable[str], known: _Known, *, is_explained: bool = False) -> Iterator[Cause]:
    """Yield what took each feedback out of use; ``is_explained`` where their row is known to have left for itself."""
    for feedback_id in feedback_ids:
        reason = known.after.feedback.get(feedback_id)
        event = _last_out(known.events.get(feedback_id, ()), reason, only_now=is_explained)
        if event is not None:
            yield _of_event(feedback_id, event)
        elif feedback_id in known.erased:
            yield Cause("erased", feedback_id)
        elif reason and reason not in _COUNTED_ELSEWHERE:
            yield Cause(f"left out: {reason}", feedback_id)


def _last_out(events: Sequence[PastEvent], reason: str | None, *, only_now: bool) -> PastEvent | None:
    """Return the event that took a feedback out of use.

    Where the later version names a status as its ``reason``, the last event that led to it; where it names another
    reason, none; else the last that led out of use, with ``only_now`` if nothing has brought the feedback back.
    """
    if reason is not None:
        return next((one for one in reversed(events) if _OUT_OF_USE.get(one.event) == reason), None)
    if only_now:
        events = [one for one in events if one.event in _INTO_USE or one.event in _OUT_OF_USE][-1:]
    return next((one for one in reversed(events) if one.event in _OUT_OF_USE), None)


def _of_event(feedback_id: str, event: PastEvent) -> Cause:
    return Cause(event.event, feedback_id, event.event, event.actor, event.reason, event.at)


def _unknown(known: _Known) -> Cause:
    return Cause(_NOT_KNOWN if known.has_store else f"{_NOT_KNOWN} without the store")


_WHY: dict[str, Any] = {"added": _added, "removed": _removed, "changed": _changed, "moved": _changed}


def _query_added(row: RowDifference, known: _Known) -> Iterator[Cause]:
    yield from _rated(row.feedback_ids)
    version = known.versions[0]
    if reason := known.before.rows.get(row.row_id):
        yield Cause(f"v{version} left it out: {reason}")


def _query_removed(row: RowDifference, known: _Known) -> Iterator[Cause]:
    if reason := known.after.rows.get(row.row_id):
        yield Cause(f"left out: {reason}")
    yield from _ratings_gone(row.feedback_ids, known)


def _query_changed(row: RowDifference, known: _Known) -> Iterator[Cause]:
    was, now = _was_and_is(row)
    yield from _rated([one for one in now if one not in was])
    yield from _ratings_gone([one for one in was if one not in now], known)
    for column, words in _WORDS_OF_QUERIES.items():
        if column in row.columns:
            old, new = row.columns[column]
            yield Cause(words.format(old=old, new=new))


def _rated(interaction_ids: Sequence[str]) -> Iterator[Cause]:
    if interaction_ids:
        more = f" and {len(interaction_ids) - _NAMED} more" if len(interaction_ids) > _NAMED else ""
        yield Cause(f"answers were rated: interactions {', '.join(interaction_ids[:_NAMED])}{more}")


def _ratings_gone(interaction_ids: Iterable[str], known: _Known) -> Iterator[Cause]:
    for interaction_id in interaction_ids:
        if interaction_id in known.erased:
            yield Cause(f"interaction {interaction_id} was erased")
        elif reason := known.after.feedback.get(interaction_id):
            yield Cause(f"interaction {interaction_id}: {reason}")


_WHY_OF_QUERIES: dict[str, Any] = {
    "added": _query_added,
    "removed": _query_removed,
    "changed": _query_changed,
    "moved": _query_changed,
}
