"""What a reviewer's word is worth: nobody decides what another has reserved, and several may have to agree."""

from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session

from feedback_pipeline.review.edits import lost_originals, take_originals
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Decision, Event, Status, Store
from feedback_pipeline.store.events import rows_by_id, utc_now
from feedback_pipeline.store.models import FeedbackRow
from feedback_pipeline.store.reservations import held, release_all, standing
from feedback_pipeline.store.reviews import Review, counting, note_reviews
from feedback_pipeline.store.transitions import ALLOWED_FROM

VERDICTS = frozenset({Event.VERIFIED, Event.REJECTED})
"""The events that are a reviewer's word about a feedback."""


class ReviewersWord:
    """A ``store.Permit`` for one call of ``decide``: notes the word of ``reviewer`` and says whether it is enough.

    What waits needs ``reviewers_per_item`` of them with the same verdict, so that one alone cannot supersede it either.
    What is in use may be rejected by one: the others would look at it while it does harm. An edit is verified together
    with its taking the place of the original, or not at all.
    """

    def __init__(self, store: Store, settings: Settings, event: Event, *, reviewer: str, reason: str | None):
        self._event, self._reviewer, self._reason = event, reviewer, reason
        self._needed = settings.reviewers_per_item
        # Only asked for where it matters: hashing needs a key.
        self._own_hash = store.hash_user(reviewer) if self._needed > 1 else None

    def __call__(self, session: Session, ids: list[str]) -> Mapping[str, Decision]:
        """Return what must not be decided yet, and why; note the reviewer's word about all that they may judge."""
        answers = self._reserved(session, ids)
        rows = rows_by_id(session, [i for i in ids if i not in answers], FeedbackRow.status, FeedbackRow.user_hash)
        if self._event in VERDICTS:
            answers |= {i: self._own(i) for i, row in rows.items() if self._is_own(row.user_hash)}
            answers |= self._without_original(session, [i for i in rows if i not in answers])
            judged = [i for i, row in rows.items() if i not in answers and row.status in ALLOWED_FROM[self._event]]
            self._note(session, judged)
            waiting = [i for i in judged if rows[i].status == Status.PENDING]
            answers |= self._too_few(session, waiting)
            answers |= self._taken(session, [i for i in waiting if i not in answers])
        if self._event == Event.SUPERSEDED and self._needed > 1:
            answers |= {i: self._alone(i) for i, row in rows.items() if row.status == Status.PENDING}
        release_all(session, (i for i in ids if i not in answers or answers[i].outcome == "noted"))
        return answers

    def _reserved(self, session: Session, ids: Iterable[str]) -> dict[str, Decision]:
        others = {i: kept for i, kept in standing(session, ids).items() if kept.reviewer != self._reviewer}
        return {i: Decision(i, "reserved", held(kept), "reserved") for i, kept in others.items()}

    def _is_own(self, user_hash: str | None) -> bool:
        return self._own_hash is not None and self._event == Event.VERIFIED and user_hash == self._own_hash

    def _own(self, feedback_id: str) -> Decision:
        detail = "You gave it yourself: others have to verify it."
        return Decision(feedback_id, "refused", detail, "own_feedback")

    def _alone(self, feedback_id: str) -> Decision:
        detail = f"It waits for {self._needed} reviewers who agree: verify, reject or edit it."
        return Decision(feedback_id, "refused", detail, "needs_agreement")

    def _without_original(self, session: Session, ids: list[str]) -> dict[str, Decision]:
        return lost_originals(session, ids) if self._event == Event.VERIFIED else {}

    def _taken(self, session: Session, ids: list[str]) -> dict[str, Decision]:
        return take_originals(session, ids, reviewer=self._reviewer) if self._event == Event.VERIFIED else {}

    def _note(self, session: Session, ids: list[str]) -> None:
        now = utc_now()
        note_reviews(session, (Review(i, self._reviewer, self._event.value, self._reason, now) for i in ids))

    def _too_few(self, session: Session, ids: list[str]) -> dict[str, Decision]:
        if self._needed == 1:
            return {}
        words = counting(session, ids)
        agreeing = {i: sum(word.verdict == self._event for word in words[i]) for i in ids}
        return {
            i: Decision(i, "noted", self._so_far(words[i])) for i, count in agreeing.items() if count < self._needed
        }

    def _so_far(self, words: Iterable[Review]) -> str:
        said = Counter(word.verdict for word in words)
        shown = ", ".join(f"{count} × {verdict}" for verdict, count in sorted(said.items()))
        return f"{self._needed} reviewers have to agree; so far: {shown}."
