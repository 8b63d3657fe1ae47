"""Users of a simulated product: one example helps them, one harms them, and by how much is known."""

import random
from dataclasses import replace

import pytest

from feedback_pipeline.insight.lift import Measured
from feedback_pipeline.insight.metrics import measured_examples, metrics_table
from feedback_pipeline.insight.retirement import propose
from feedback_pipeline.retrieval import Example, InfluenceRecorder
from feedback_pipeline.retrieval.holdback import hold_back
from feedback_pipeline.retrieval.influence import new_retrieval_id
from feedback_pipeline.store import CheckRecord, Interaction, Store, record_checks, record_many, submit_many
from feedback_pipeline.store.retirements import proposals_of
from feedback_pipeline_tests.insight.stories import becomes, tell
from feedback_pipeline_tests.store.samples import submission

APPLIED = (("submitted", 100), ("verified", 90), ("applied", 80))
GOOD, HELPS, HARMS = 0.55, +0.25, -0.30
"""The chance of a good answer without any example, and what each of two adds to it."""
EFFECTS = {"helps": HELPS, "harms": HARMS, "idle": 0.0}
RATE, USERS, SAY_SOMETHING, CORRECT, SEED = 0.5, 800, 0.7, 0.5, 1


def found() -> list[Example]:
    names = enumerate(EFFECTS, start=1)
    return [Example(n, "f", ("f",), "geo", "q", "SELECT 1", None, 0.9, rank, "test") for rank, n in names]


def ask(recorder: InfluenceRecorder, store: Store, chance: random.Random, number: int) -> Interaction:
    """Let a user ask, and rate what they get; return the interaction as the product records it."""
    retrieval_id = new_retrieval_id()
    held = hold_back(found(), rate=RATE, seed=f"{number}")
    recorder.note(held.given, database_id="geo", withheld=held.withheld, retrieval_id=retrieval_id, holdback_rate=RATE)
    is_good = chance.random() < GOOD + sum(EFFECTS[one.example_id] for one in held.given)
    rating = None if chance.random() > SAY_SOMETHING else 1 if is_good else -1
    return Interaction(
        "text2sql",
        "q",
        "SELECT 1",
        "geo",
        feedback=rating,
        retrieval_id=retrieval_id,
        source="t",
        client_key=f"{number}",
    )


def record(store: Store, asked: list[Interaction], corrected: set[str | None]) -> None:
    """Record the answers; some users correct theirs instead of rating it."""
    silent = [replace(one, feedback=None) if one.client_key in corrected else one for one in asked]
    stored = zip(asked, record_many(store, silent), strict=True)
    ids = {one.client_key: interaction_id for one, (interaction_id, _) in stored}
    keys = sorted(filter(None, corrected))
    given = submit_many(store, [submission(key, interaction_id=ids[key]) for key in keys])
    record_checks(store, [CheckRecord(one.feedback_id, {"is_error_pair": True}, "v1", True) for one in given])


@pytest.fixture
def measured(store: Store) -> dict[str, Measured]:
    """Everything measured after some hundred users; half of the bad answers are corrected, not rated."""
    chance = random.Random(SEED)
    for name in EFFECTS:
        becomes(store, tell(store, *APPLIED, question=name), name)
    with InfluenceRecorder(lambda: store) as recorder:
        asked = [ask(recorder, store, chance, number) for number in range(USERS)]
        assert recorder.flush()
    bad = [one for one in asked if one.feedback == -1 and chance.random() < CORRECT]
    record(store, asked, {one.client_key for one in bad})
    return {one.example_id: one for one in measured_examples(store)}


def test_lift_finds_what_each_example_does_and_proposes_the_harmful_one(
    measured: dict[str, Measured], store: Store
) -> None:
    for name, truth in EFFECTS.items():
        low, high = measured[name].effect.low, measured[name].effect.high
        assert low is not None
        assert high is not None
        assert low <= truth <= high, name
        assert high - low < 0.35
    assert (measured["helps"].effect.low or 0) > 0
    assert (measured["harms"].effect.high or 0) < 0

    renewal = propose(store, measured.values(), lambda ids: ids)

    assert (renewal.proposed, renewal.open, renewal.dropped) == (("harms",), 1, 0)
    table = metrics_table(store, list(measured.values())).to_pylist()
    assert {row["example_id"]: row["harmful"] for row in table} == {"harms": True, "helps": False, "idle": False}
    assert {row["queries"] + row["withheld"] for row in table} == {USERS}
    behind = {row["example_id"]: row["feedback_ids"] for row in table}
    with store.read() as session:
        proposed = proposals_of(session, [i for ids in behind.values() for i in ids])
    assert list(proposed) == behind["harms"]
    [proposal] = proposed[behind["harms"][0]]
    assert proposal.evidence["high"] < 0
    assert proposal.evidence["judged_with"] > proposal.evidence["judged_without"] > 50


def test_corrections_count_as_bad_answers_and_silence_as_none(measured: dict[str, Measured], store: Store) -> None:
    one = measured["harms"]

    assert one.use.corrected > 20
    assert one.use.good == one.use.up
    assert one.use.answers == one.use.up + one.use.down + one.use.corrected
    assert one.use.answers + one.withheld.answers < USERS * (SAY_SOMETHING + 0.05)
