"""Taking everything back over HTTP: gone from what agents see at once, from everything soon, with a receipt."""

from pathlib import Path

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.api.runs import PipelineRuns
from feedback_pipeline.erasure.erase import finish_open_erasures
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.finetune.publishing.release import publish_release
from feedback_pipeline.retrieval import Retriever
from feedback_pipeline.schemas import DEDUPED_FEEDBACK
from feedback_pipeline.store import note_model, opted_out_users
from feedback_pipeline.store.erasures import reopen
from feedback_pipeline_tests.api.conftest import bearer
from feedback_pipeline_tests.api.sending import CORRECTION, answer, feedback_rows, give, services_of, store_of
from feedback_pipeline_tests.api.worlds import World
from feedback_pipeline_tests.finetune.samples import POLICY, examples

ZOE = bearer("zoe")
QUESTION = "how many rivers cross zanzibarland"
MINE, ERASURE = "/feedback/mine", "/feedback/mine/erasure"


@pytest.fixture
def waiting(client_of_each_store: TestClient) -> TestClient:
    """An application whose runs do nothing: what is asked for waits in the journal."""
    services = services_of(client_of_each_store)
    services.runs = PipelineRuns(services.settings, command=("true",))
    return client_of_each_store


def test_it_is_accepted_withdrawn_and_a_run_asked_for(waiting: TestClient):
    give(waiting, CORRECTION, ZOE)

    response = waiting.delete(MINE, headers=ZOE)

    body = response.json()
    assert (response.status_code, response.headers["Location"]) == (202, ERASURE)
    assert (body["state"], body["consent"], body["status_url"]) == ("pending", "withdrawn", ERASURE)
    assert [row.status for row in feedback_rows(waiting)] == ["withdrawn"]
    assert "erasure" in services_of(waiting).runs.state()


def test_its_state_is_pending_and_empty_until_it_is_done(waiting: TestClient):
    erasure_id = waiting.delete(MINE, headers=ZOE).json()["erasure_id"]

    state = waiting.get(ERASURE, headers=ZOE).json()

    assert state.pop("requested_at")
    assert state == {
        "erasure_id": erasure_id,
        "state": "pending",
        "consent": "withdrawn",
        "finished_at": None,
        "found_in": None,
        "removed": None,
        "remains": None,
        "trained_models": [],
        "not_reached": [],
    }


def test_asked_for_again_it_is_the_same_erasure(waiting: TestClient):
    ids = {waiting.delete(MINE, headers=ZOE).json()["erasure_id"] for _ in range(3)}

    assert len(ids) == 1


def test_they_are_opted_out_unless_they_want_to_go_on(waiting: TestClient):
    waiting.delete(MINE, headers=ZOE)
    kept = waiting.delete(f"{MINE}?keep_consent=true", headers=bearer("yan"))

    assert give(waiting, CORRECTION, ZOE).status_code == 403
    assert kept.json()["consent"] == "kept"
    assert give(waiting, CORRECTION, bearer("yan")).status_code == 201
    assert opted_out_users(store_of(waiting)) == {store_of(waiting).hash_user("zoe")}


def test_others_keep_theirs_and_see_nothing_of_it(waiting: TestClient):
    give(waiting, CORRECTION, bearer("ann"))
    waiting.delete(MINE, headers=ZOE)

    response = waiting.get(ERASURE, headers=bearer("ann", "admin"))

    assert (response.status_code, response.json()["code"]) == (404, "unknown_erasure")
    assert [row.status for row in feedback_rows(waiting)] == ["pending"]


@pytest.fixture
def world(waiting: TestClient) -> World:
    """A deployment in which a correction of zoe's and one of ann's are live."""
    world = World(waiting.app, waiting)  # pyright: ignore[reportArgumentType]
    hers, anns = world.give(QUESTION, user="zoe"), world.give("question 1", user="ann")
    world.publish((QUESTION, [hers]), ("question 1", [anns]))
    return world


def live(world: World) -> set[str]:
    found = Retriever.open(world.services.settings).similar(QUESTION, database_id="shop", k=9, min_score=-1)
    return {example.natural_query for example in found}


def erase(world: World) -> dict:
    """Have zoe ask for it and carry out what waits; return what she is told then."""
    assert world.client.delete(MINE, headers=ZOE).status_code == 202
    finish_open_erasures(world.services.settings, world.store)
    return world.client.get(ERASURE, headers=ZOE).json()


def test_what_they_gave_leaves_the_live_index_before_the_run(world: World):
    assert live(world) == {QUESTION, "question 1"}

    accepted = world.client.delete(MINE, headers=ZOE).json()

    assert (accepted["state"], accepted["examples_taken_out"]) == ("pending", 1)
    assert live(world) == {"question 1"}


def test_done_it_tells_what_is_gone(world: World):
    number = answer(world.client, ZOE)
    give(world.client, {"interaction_id": number, "rating": -1, "reason": "kwyjibo"}, ZOE)

    state = erase(world)

    assert (state["state"], state["remains"], state["consent"]) == ("done", 0, "withdrawn")
    assert state["finished_at"] > state["requested_at"]
    assert state["found_in"] == ["index", "store"]
    assert (state["removed"]["feedback"], state["removed"]["interactions"]) == (1, 1)
    assert "trained models" in state["not_reached"]
    assert [row.natural_query for row in feedback_rows(world.client)] == ["question 1"]
    assert live(world) == {"question 1"}


def test_the_receipt_names_neither_records_nor_paths_nor_the_user(world: World):
    ids = [row.feedback_id for row in feedback_rows(world.client)]

    told = str(erase(world))

    secrets = [world.services.settings.storage_root, world.store.hash_user("zoe"), "zoe", *ids]
    assert [secret for secret in secrets if secret in told] == []


def test_models_that_have_learned_from_it_are_named(world: World):
    [hers] = [row.feedback_id for row in feedback_rows(world.client) if row.natural_query == QUESTION]
    rows = [{**row, "feedback_ids": [hers]} for row in examples(1).to_pylist()]
    table = pa.Table.from_pylist([*rows, *examples(40).to_pylist()[1:]], DEDUPED_FEEDBACK)
    publish_release(ReleaseCatalog(world.services.settings.storage_root), "text2sql", table, POLICY)
    note_model(world.store, "sql-7b", [("text2sql", 1)], note="on gpu-3:/srv/runs")

    state = erase(world)

    assert state["trained_models"] == [{"name": "sql-7b", "trained_on": "text2sql@v1"}]
    assert "gpu-3" not in str(state)


def test_opened_again_it_is_pending_again(world: World):
    erasure_id = erase(world)["erasure_id"]

    reopen(world.store, [erasure_id])

    assert world.client.get(ERASURE, headers=ZOE).json()["state"] == "pending"


def test_the_latest_erasure_is_told(world: World):
    first = erase(world)["erasure_id"]

    second = world.client.delete(MINE, headers=ZOE).json()["erasure_id"]

    assert second != first
    assert world.client.get(ERASURE, headers=ZOE).json()["erasure_id"] == second


def test_an_index_that_cannot_be_written_does_not_stop_the_erasure(world: World):
    for path in (Path(world.services.settings.storage_root) / "index").glob("*.lance/data/*"):
        path.write_bytes(b"damaged")

    response = world.client.delete(MINE, headers=ZOE)

    assert (response.status_code, response.json()["code"]) == (503, "index_unavailable")
    assert "erasure" in world.services.runs.state()
    assert world.client.get(ERASURE, headers=ZOE).json()["state"] == "pending"
