"""Similar corrections for a question, while its user waits."""

from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter

from feedback_pipeline.api.auth.guard import UserCaller
from feedback_pipeline.api.documents.examples import FoundExample, LearnedFrom, Search, SearchAnswer
from feedback_pipeline.api.problems import responses
from feedback_pipeline.api.routes.intake import refusals, require_database, user_of
from feedback_pipeline.api.services import Services, Serving
from feedback_pipeline.api.vouching import Vouched
from feedback_pipeline.intake import values
from feedback_pipeline.intake.validation import RowError
from feedback_pipeline.retrieval import Example, prompt_context
from feedback_pipeline.retrieval.holdback import hold_back
from feedback_pipeline.retrieval.influence import Asker, new_retrieval_id

_SPARE, _MORE = 8, 200
"""How many examples more than wanted are looked at first, and then, for what was taken back since the publication."""

router = APIRouter(tags=["examples"])


@router.post("/examples/search", responses=responses(401, 403, 404))
def search_examples(search: Search, caller: UserCaller, services: Serving) -> SearchAnswer:
    """Return verified answers to similar questions, and note that they were given.

    What was withdrawn or rejected since the index was published is left out. While the store is away the answer comes
    from the index alone: nothing is said to be `yours` or learned from a correction, and what was given is noted later.
    An unknown database gives no examples; one that is not the caller's does not exist. To measure what examples do, a
    share of searches goes without one of them (`FEEDBACK_HOLDBACK_RATE`); its `rank` is missing then.
    """
    require_database(caller, search.database_id)
    question = _question(search, services)
    found, vouched = _vouched_examples(services, search, question, user_of(caller))
    index_version, rate = services.retriever.index_version, services.settings.holdback_rate
    retrieval_id = new_retrieval_id()
    seed = retrieval_id if search.interaction_id is None else search.interaction_id
    held = hold_back(found, rate=rate, seed=str(seed))
    examples = list(held.given)
    services.influence.note(
        examples,
        database_id=search.database_id,
        index_version=index_version,
        interaction_id=search.interaction_id,
        asker=Asker(user_of(caller)),
        withheld=held.withheld,
        retrieval_id=retrieval_id,
        holdback_rate=rate,
    )
    services.metrics.note_search(given=len(examples), withheld=len(held.withheld))
    return SearchAnswer(
        examples=[_found(example, vouched) for example in examples],
        prompt=prompt_context(examples, max_tokens=search.max_tokens),
        index_version=index_version,
        retrieval_id=retrieval_id,
        learned_from_correction=_learned(examples, vouched) if vouched else [],
    )


def _question(search: Search, services: Services) -> str:
    """Return the question as it would be stored. Raises ProblemError (422)."""
    with refusals():
        try:
            question = values.line_text(search.natural_query, services.settings.max_question_chars)
        except ValueError as error:
            raise RowError("natural_query", str(error)) from error
        if question is None:
            raise RowError("natural_query", "is missing or blank")
        return question


def _vouched_examples(
    services: Services, search: Search, question: str, user_id: str | None
) -> tuple[list[Example], Vouched | None]:
    """Return the best examples somebody still stands behind, and what the store says of their feedback, if it does."""
    for spare in (_SPARE, _MORE):
        wanted = search.k + spare
        found = services.retriever.similar(
            question, database_id=search.database_id, k=wanted, min_score=search.min_score
        )
        vouched = services.vouching.ask({i for one in found for i in one.feedback_ids}, user_id) if found else None
        if vouched is None:
            return found[: search.k], None
        kept = [one for one in found if vouched.all_in_use(one.feedback_ids)][: search.k]
        if len(kept) == search.k or len(found) < wanted:
            break
    return [replace(one, rank=rank) for rank, one in enumerate(kept, start=1)], vouched


def _found(example: Example, vouched: Vouched | None) -> FoundExample:
    yours = vouched is not None and any(vouched.is_askers(i) for i in example.feedback_ids)
    return FoundExample(**vars(example), yours=yours)


def _learned(examples: Sequence[Example], vouched: Vouched) -> list[LearnedFrom]:
    return [
        LearnedFrom(feedback_id=i, example_id=one.example_id, rank=one.rank, yours=vouched.is_askers(i))
        for one in examples
        for i in one.feedback_ids
        if vouched.corrects(i)
    ]
