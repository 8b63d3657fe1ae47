"""Opting out over HTTP: nothing more is used at once, nothing more is stored, and the product goes on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.retrieval import Retriever
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import get_feedback
from feedback_pipeline_tests.api.conftest import Headers, api_settings, bearer
from feedback_pipeline_tests.api.sending import (
    BACKEND,
    CORRECTION,
    answer,
    feedback_rows,
    give,
    interaction_rows,
    rated,
    record,
)
from feedback_pipeline_tests.api.worlds import World

ANN = bearer("ann")


@pytest.fixture
def world(store_settings: Settings, tmp_path: Path) -> Iterator[World]:
    """A deployment with nothing in it, on each kind of database."""
    app = create_app(api_settings(tmp_path / "data", database_url=store_settings.database_url))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield World(app, client)


def opt_out(client: TestClient, headers: Headers = ANN) -> dict:
    response = client.post("/feedback/opt-out", headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def live(world: World) -> set[str]:
    """Return the questions that a new agent finds in the live index."""
    found = Retriever.open(world.services.settings).similar("question 1", database_id="shop", k=20, min_score=-1)
    return {example.natural_query for example in found}


def test_what_they_gave_is_withdrawn_and_out_of_the_live_index_at_once(world: World):
    hers, his = world.give("question 1", user="ann"), world.give("question 2", user="bob")
    world.publish(("question 1", [hers]), ("question 2", [his]))
    assert live(world) == {"question 1", "question 2"}

    done = opt_out(world.client)

    assert done == {"opted_out": True, "known_before": False, "withdrawn": 1, "examples_taken_out": 1}
    assert live(world) == {"question 2"}
    assert [get_feedback(world.store, i)["status"] for i in (hers, his)] == ["withdrawn", "applied"]


def test_again_changes_nothing(world: World):
    world.live("question 1")
    opt_out(world.client)

    assert opt_out(world.client) == {
        "opted_out": True,
        "known_before": True,
        "withdrawn": 0,
        "examples_taken_out": 0,
    }


def test_again_takes_out_what_an_interrupted_call_left_in_the_index(world: World):
    feedback_id = world.live("question 1")
    index = Path(world.services.settings.storage_root) / "index"
    moved = index.rename(index.with_name("elsewhere"))
    opt_out(world.client)
    shutil.rmtree(index, ignore_errors=True)
    moved.rename(index)
    assert live(world) == {"question 1"}

    assert opt_out(world.client)["examples_taken_out"] == 1
    assert (live(world), get_feedback(world.store, feedback_id)["status"]) == (set(), "withdrawn")


def test_an_index_that_cannot_be_written_is_said_and_the_opt_out_stands(world: World):
    feedback_id = world.live("question 1")
    for path in (Path(world.services.settings.storage_root) / "index").glob("*.lance/data/*"):
        path.write_bytes(b"damaged")

    response = world.client.post("/feedback/opt-out", headers=ANN)

    assert (response.status_code, response.json()["code"]) == (503, "index_unavailable")
    assert response.headers["Retry-After"]
    assert str(world.services.settings.storage_root) not in response.text
    assert get_feedback(world.store, feedback_id)["status"] == "withdrawn"


def test_ratings_and_corrections_are_refused_and_nothing_is_stored(client_of_each_store: TestClient):
    client = client_of_each_store
    mine, nobodys = answer(client), answer(client, BACKEND)
    opt_out(client)

    responses = [
        give(client, {"interaction_id": mine, "rating": 1}),
        give(client, {"interaction_id": nobodys, "rating": 1}),
        give(client, {"interaction_id": 0, "rating": 1}),
        give(client, CORRECTION),
        give(client, {**CORRECTION, "interaction_id": 0}),
        give(client, CORRECTION, {**BACKEND, "On-Behalf-Of": "ann"}),
    ]

    assert {(response.status_code, response.json()["code"]) for response in responses} == {(403, "opted_out")}
    assert rated(client, mine) == rated(client, nobodys) == (None, None)
    assert feedback_rows(client) == []


def test_their_answers_are_not_stored_and_the_product_goes_on(client_of_each_store: TestClient):
    client = client_of_each_store
    opt_out(client)

    direct = record(client)
    through_backend = record(client, {**BACKEND, "On-Behalf-Of": "ann"})

    for response in (direct, through_backend):
        assert (response.status_code, response.json()) == (200, {"interaction_id": 0, "stored": False})
    assert interaction_rows(client) == []


def test_others_are_left_alone(client: TestClient):
    opt_out(client)

    assert give(client, CORRECTION, bearer("bob")).status_code == 201


def test_undone_new_feedback_is_stored_and_withdrawn_stays_withdrawn(client_of_each_store: TestClient):
    client = client_of_each_store
    give(client, CORRECTION)
    opt_out(client)

    undone = client.delete("/feedback/opt-out", headers=ANN)
    again = client.delete("/feedback/opt-out", headers=ANN)

    assert undone.json() == {"opted_out": False, "known_before": True}
    assert again.json() == {"opted_out": False, "known_before": False}
    assert give(client, CORRECTION).status_code == 201
    assert sorted(row.status for row in feedback_rows(client)) == ["pending", "withdrawn"]


def test_a_backend_opts_out_the_user_it_names(client: TestClient):

    opt_out(client, {**BACKEND, "On-Behalf-Of": "ann"})

    assert give(client, CORRECTION).status_code == 403
    assert give(client, CORRECTION, BACKEND).status_code == 201


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/feedback/opt-out"),
        ("DELETE", "/feedback/opt-out"),
        ("DELETE", "/feedback/mine"),
        ("GET", "/feedback/mine/erasure"),
    ],
)
def test_a_backend_has_to_say_for_whom(client: TestClient, method: str, path: str):
    response = client.request(method, path, headers=BACKEND)

    assert (response.status_code, response.json()["code"]) == (422, "on_behalf_of_missing")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/feedback/opt-out"),
        ("DELETE", "/feedback/opt-out"),
        ("DELETE", "/feedback/mine"),
        ("GET", "/feedback/mine/erasure"),
    ],
)
@pytest.mark.parametrize("rights", [{"acts_for_users": True}, {"role": "admin"}], ids=["backend", "admin"])
def test_a_backend_of_some_databases_does_not_speak_of_consent(world: World, method: str, path: str, rights: dict):
    feedback_id = world.live("question 1")
    tenant = bearer("product", databases=["otherdb"], **rights) | {"On-Behalf-Of": "ann"}

    response = world.client.request(method, path, headers=tenant)

    assert (response.status_code, response.json()["code"]) == (403, "databases_limited")
    assert get_feedback(world.store, feedback_id)["status"] == "applied"
    assert live(world) == {"question 1"}


def test_users_speak_of_their_consent_whatever_their_token_is_limited_to(world: World):
    feedback_id = world.live("question 1")

    done = opt_out(world.client, bearer("ann", databases=["otherdb"]))

    assert (done["withdrawn"], get_feedback(world.store, feedback_id)["status"]) == (1, "withdrawn")
