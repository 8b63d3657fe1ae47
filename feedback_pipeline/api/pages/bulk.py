"""Decisions about many items at once, and the page that says what became of each."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from feedback_pipeline.api.auth.caller import Caller, Role
from feedback_pipeline.api.pages.browsing import Looking
from feedback_pipeline.api.pages.flash import Flash
from feedback_pipeline.api.pages.item_forms import MAX_REASON_CHARS
from feedback_pipeline.api.pages.page_route import PageRoute
from feedback_pipeline.api.pages.session import PostingReviewer, render, tell
from feedback_pipeline.api.problems import ProblemError
from feedback_pipeline.api.services import Services, Serving
from feedback_pipeline.review.bulk import BulkResult, bulk_verify
from feedback_pipeline.review.deciding import Reviewed, reject
from feedback_pipeline.review.queue import QueueItem, queue_items
from feedback_pipeline.store import Status

router = APIRouter(route_class=PageRoute)

MAX_SELECTED = 200
MAX_LISTED = 200

_WORDS = {
    "done": ("done", "good"),
    "noted": ("noted, more reviewers are needed", "info"),
    "unchanged": ("was so before", "info"),
    "refused": ("not done", "warn"),
    "reserved": ("somebody else has it", "warn"),
    "unknown": ("not found", "warn"),
    "verified": ("verified", "good"),
    "skipped": ("left for a person", "warn"),
    "conflict": ("contradicts another answer", "warn"),
    "failed": ("fails its checks", "bad"),
}


@dataclass(frozen=True)
class Outcome:
    """What became of one item: in a word, with a tone, and why."""

    feedback_id: str
    question: str | None
    word: str
    tone: str
    reason: str | None


@router.post("/review/bulk")
def decide_selected(
    request: Request,
    reviewer: PostingReviewer,
    looking: Looking,
    services: Serving,
    action: Annotated[str, Form(max_length=20)] = "",
    feedback_ids: Annotated[list[str], Form(max_length=MAX_SELECTED)] = [],  # noqa: B006 - FastAPI copies it
    reason: Annotated[str, Form(max_length=MAX_REASON_CHARS)] = "",
) -> Response:
    """Verify or reject what was selected; an administrator may verify all that matches and passes.

    What a person should look at is left waiting, whoever selects it: it is verified on its own page.
    """
    reason = reason.strip()
    if action == "verify-matching":
        return _verify_matching(request, reviewer, looking, services)
    if action not in ("verify", "reject"):
        raise ProblemError(422, "Choose what to do with the selected items.")
    if not feedback_ids:
        return _back(request, looking.address(), Flash("warn", "Nothing is selected.", "Tick the items to decide."))
    if action == "reject" and not reason:
        text = "Say what is wrong with the selected items: whoever gave them is told."
        return _back(request, looking.address(), Flash("warn", "A reason is needed.", text))
    found = [item for item in queue_items(services.store, feedback_ids) if reviewer.may_use(item.database_id)]
    if action == "reject":
        return outcome_page(
            request, looking.address(), "Rejected", told(_rejected(services, reviewer, found, reason), found)
        )
    verified = bulk_verify(
        services.store,
        services.settings,
        reviewer=reviewer.subject,
        feedback_ids=[item.feedback_id for item in found],
        databases=reviewer.databases,
        reason=reason,
    )
    return outcome_page(request, looking.address(), "Verified", told(verified, found))


def _rejected(services: Services, reviewer: Caller, found: list[QueueItem], reason: str) -> list[Reviewed]:
    return reject(
        services.store,
        services.settings,
        [item.feedback_id for item in found],
        reviewer=reviewer.subject,
        reason=reason,
        expected=Status.PENDING.value,
    )


def _verify_matching(request: Request, reviewer: Caller, looking: Looking, services: Services) -> Response:
    if not reviewer.has(Role.ADMIN):
        raise ProblemError(403, "Verifying everything that matches needs the role admin.")
    wanted = looking.with_(status=Status.PENDING.value).wanted(reviewer)
    results = bulk_verify(services.store, services.settings, reviewer=reviewer.subject, wanted=wanted)
    listed = sorted(results, key=lambda result: (result.result != "verified", result.feedback_id))[:MAX_LISTED]
    known = queue_items(services.store, [result.feedback_id for result in listed])
    return outcome_page(request, looking.address(), "Verified", told(listed, known), counts=_counts(results))


def _counts(results: Iterable[BulkResult]) -> list[tuple[str, str, int]]:
    """Return how many ended how, by reason: the words, the reason and the number."""
    counted = Counter((result.result, result.reason or "") for result in results)
    return [(_WORDS[result][0], reason, count) for (result, reason), count in counted.most_common()]


def told(results: Iterable[Reviewed | BulkResult], items: Iterable[QueueItem]) -> list[Outcome]:
    """Return what became of each of ``items``, in words."""
    questions = {item.feedback_id: item.natural_query for item in items}
    return [_outcome(result, questions.get(result.feedback_id)) for result in results]


def _outcome(result: Reviewed | BulkResult, question: str | None) -> Outcome:
    is_bulk = isinstance(result, BulkResult)
    word, tone = _WORDS[result.result if is_bulk else result.outcome]
    return Outcome(result.feedback_id, question, word, tone, result.reason if is_bulk else result.detail)


def outcome_page(
    request: Request,
    back: str,
    heading: str,
    outcomes: list[Outcome],
    counts: list[tuple[str, str, int]] | None = None,
) -> HTMLResponse:
    """Return the page that lists ``outcomes``, with a link ``back``."""
    return render(
        request, "results.html", section="queue", heading=heading, outcomes=outcomes, counts=counts, back=back
    )


def _back(request: Request, address: str, message: Flash) -> Response:
    response = RedirectResponse(address, 303)
    tell(request, response, message)
    return response
