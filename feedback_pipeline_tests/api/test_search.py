"""What an agent gets for a question over HTTP, whom it was learned from, and what is noted of it."""

import json
import logging
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from feedback_pipeline.api import create_app, vouching
from feedback_pipeline.retrieval import Retriever, prompt_context
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Interaction, StoreUnavailableError, decide, opt_out, record_many, remove_user
from feedback_pipeline.store.influence import uses_of
from feedback_pipeline.store.models import RetrievalExampleRow, RetrievalRow
from feedback_pipeline_tests.api.conftest import api_settings, bearer
from feedback_pipeline_tests.api.worlds import CHECKED, World
from feedback_pipeline_tests.example_index.samples import example_id


@pytest.fixture
def world(store_settings: Settings, tmp_path: Path) -> Iterator[World]:
    """A deployment with nothing in it, on each kind of database."""
    app = create_app(api_settings(tmp_path / "data", database_url=store_settings.database_url))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield World(app, client)


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[World]:
    """The same on SQLite, for what does not depend on the kind of database."""
    app = create_app(api_settings(tmp_path / "quick"))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield World(app, client)


def search(world: World, question: str = "question 1", headers: dict[str, str] | None = None, **fields) -> dict:
    body = {"natural_query": question, "database_id": "shop", "min_score": -1}
    response = sent(world, body | fields, headers)
    assert response.status_code == 200, response.text
    return response.json()


def sent(world: World, body: object, headers: dict[str, str] | None = None):
    return world.client.post("/examples/search", json=body, headers=headers or bearer("bob"))


def questions(answer: dict) -> list[str]:
    return [example["natural_query"] for example in answer["examples"]]


def test_an_answer_holds_all_an_agent_needs(world: World):
    feedback_id = world.live("question 1")

    answer = search(world)

    shown = {
        "example_id": example_id("shop", "question 1"),
        "feedback_id": feedback_id,
        "feedback_ids": [feedback_id],
        "database_id": "shop",
        "natural_query": "question 1",
        "sql": "SELECT 'question 1'",
        "adapted_sql": "SELECT 'question 1'",
        "generated_sql": None,
        "score": 1.0,
        "rank": 1,
        "source": "user_feedback",
    }
    assert answer["examples"] == [shown | {"yours": False}]
    assert answer["index_version"] == 1
    local = Retriever(world.services.settings.storage_root).similar("question 1", database_id="shop")
    assert answer["prompt"] == prompt_context(local) != ""
    learned = {"feedback_id": feedback_id, "example_id": shown["example_id"], "rank": 1, "yours": False}
    assert answer["learned_from_correction"] == [learned]


def test_the_submitter_hears_that_it_is_theirs(world: World):
    anns, bobs = world.give("question 1", user="ann"), world.give("question 1", user="bob")
    world.publish(("question 1", [anns, bobs]))

    answer = search(world, headers=bearer("bob"))

    assert answer["examples"][0]["yours"] is True
    assert {one["feedback_id"]: one["yours"] for one in answer["learned_from_correction"]} == {anns: False, bobs: True}
    assert search(world, headers=bearer("carol"))["examples"][0]["yours"] is False


def test_a_backend_may_ask_for_its_user(quick: World):
    quick.live("question 1", user="ann")
    backend = bearer("backend", acts_for_users=True)

    assert search(quick, headers=backend | {"On-Behalf-Of": "ann"})["examples"][0]["yours"] is True
    assert search(quick, headers=backend)["examples"][0]["yours"] is False


@pytest.mark.parametrize(
    ("texts", "evidence"),
    [
        ({"corrected_sql": None, "rating": 5}, {"is_error_pair": False}),
        ({"corrected_sql": "SELECT 1"}, {"is_error_pair": False}),
        ({"corrected_sql": "SELECT 2"}, {"is_error_pair": False, "results_equal": True}),
    ],
    ids=["a good rating", "the same SQL", "the same rows"],
)
def test_nothing_is_learned_from_what_only_approved_the_generated_sql(quick: World, texts: dict, evidence: dict):
    quick.live("question 1", checks=CHECKED | evidence, **texts)

    answer = search(quick)

    assert questions(answer) == ["question 1"]
    assert answer["learned_from_correction"] == []


def test_corrections_are_named_in_the_order_of_their_examples(quick: World):
    given = {number: quick.give(f"question {number}") for number in (1, 2, 3)}
    quick.publish(*((f"question {number}", [feedback_id]) for number, feedback_id in given.items()))

    answer = search(quick, "question 2")

    in_order = [example["feedback_id"] for example in answer["examples"]]
    assert in_order[0] == given[2]
    assert [(one["feedback_id"], one["rank"]) for one in answer["learned_from_correction"]] == [
        (feedback_id, rank) for rank, feedback_id in enumerate(in_order, start=1)
    ]


@pytest.mark.parametrize("how", ["withdrawn", "rejected", "erased"])
def test_what_was_taken_back_since_is_not_given_and_another_takes_its_place(world: World, how: str):
    ids = [world.give(f"question {number}", user=f"user {number}") for number in range(5)]
    world.publish(*((f"question {number}", [i]) for number, i in enumerate(ids)))
    best = search(world, "question 3", k=1)["examples"][0]["feedback_id"]
    assert best == ids[3]

    if how == "withdrawn":
        opt_out(world.store, world.store.hash_user("user 3"))
    elif how == "rejected":
        decide(world.store, [best], "rejected", actor="rae", reason="wrong")
    else:
        remove_user(world.store, world.store.hash_user("user 3"))

    answer = search(world, "question 3", k=4)
    assert ids[3] not in [example["feedback_id"] for example in answer["examples"]]
    assert [example["rank"] for example in answer["examples"]] == [1, 2, 3, 4]
    assert "question 3" not in answer["prompt"]


def test_an_example_one_of_whose_voices_is_gone_is_not_given(quick: World):
    anns, bobs = quick.give("question 1"), quick.give("question 1", user="bob")
    quick.publish(("question 1", [anns, bobs]))

    decide(quick.store, [anns], "rejected", actor="rae", reason="wrong")

    assert search(quick)["examples"] == []


def test_even_where_many_were_taken_back_what_stands_is_found(quick: World):
    ids = [quick.give(f"question {number}") for number in range(60)]
    quick.publish(*((f"question {number}", [i]) for number, i in enumerate(ids)))
    standing = search(quick, "tea", k=20)["examples"][-1]["feedback_id"]

    decide(quick.store, [i for i in ids if i != standing], "rejected", actor="rae", reason="wrong")

    assert [example["feedback_id"] for example in search(quick, "tea", k=1)["examples"]] == [standing]


def test_what_was_given_is_noted_with_its_interaction(world: World):
    feedback_id = world.live("question 1")
    [(number, _)] = record_many(world.store, [Interaction("text2sql", "q", database_id="shop")])

    retrieval_id = search(world, interaction_id=number)["retrieval_id"]

    assert world.services.influence.flush()
    with world.store.read() as session:
        row = session.execute(select(RetrievalRow.__table__)).mappings().one()
        given = session.execute(select(RetrievalExampleRow.__table__)).mappings().one()
    assert (row["retrieval_id"], row["interaction_id"], row["shown"]) == (retrieval_id, number, 1)
    assert (row["database_id"], row["index_version"]) == ("shop", 1)
    assert (given["example_id"], given["rank"]) == (example_id("shop", "question 1"), 1)
    assert uses_of(world.store, [feedback_id])[feedback_id].queries == 1


def test_a_question_nothing_is_known_about_is_noted_too(quick: World):
    answer = search(quick, database_id="nowhere")

    assert (answer["examples"], answer["prompt"], answer["learned_from_correction"]) == ([], "", [])
    assert answer["index_version"] is None
    assert quick.services.influence.flush()
    with quick.store.read() as session:
        assert session.scalars(select(RetrievalRow.shown)).all() == [0]


def test_a_database_of_others_does_not_exist(quick: World):
    quick.live("question 1")

    response = sent(quick, {"natural_query": "question 1", "database_id": "shop"}, bearer("ann", databases=["geo"]))

    assert (response.status_code, response.json()["code"]) == (404, "unknown_database")
    assert quick.services.influence.waiting == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"k": 0}, "k"),
        ({"k": 21}, "k"),
        ({"k": "3"}, "k"),
        ({"k": True}, "k"),
        ({"natural_query": None}, "natural_query"),
        ({"natural_query": " \t"}, "natural_query"),
        ({"natural_query": "a\0b"}, "natural_query"),
        ({"natural_query": "a\ud800b"}, "natural_query"),
        ({"natural_query": "x" * 4_001}, "natural_query"),
        ({"database_id": ""}, "database_id"),
        ({"database_id": "x" * 201}, "database_id"),
        ({"database_id": "a\0b"}, "database_id"),
        ({"interaction_id": -1}, "interaction_id"),
        ({"interaction_id": 2**63}, "interaction_id"),
        ({"interaction_id": "1"}, "interaction_id"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(quick: World, changes: dict, field: str):
    body = {"natural_query": "question 1", "database_id": "shop"} | changes

    response = quick.client.post(
        "/examples/search", content=json.dumps(body), headers=bearer() | {"Content-Type": "application/json"}
    )

    assert response.status_code == 422, response.text
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_without_a_token_nothing_is_found(quick: World):
    assert quick.client.post("/examples/search", json={}).status_code == 401


def test_an_index_that_is_gone_gives_no_examples(quick: World, tmp_path: Path):
    quick.live("question 1")
    shutil.rmtree(tmp_path / "quick" / "index")

    assert search(quick)["examples"] == []


def test_a_store_that_is_away_costs_an_agent_nothing_but_what_only_it_knows(
    quick: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    quick.live("question 1")
    search(quick)
    asked = []

    def away(_self: object) -> object:
        asked.append(threading.current_thread().name)
        raise StoreUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(type(quick.services), "store", property(away))
        answers = [search(quick, headers=bearer("ann")) for _ in range(20)]

    assert {json.dumps(answer["examples"]) for answer in answers} == {
        json.dumps([answers[0]["examples"][0] | {"yours": False}])
    }
    assert answers[0]["learned_from_correction"] == []
    # One search has asked; the recorder tries in its own time.
    assert len([thread for thread in asked if thread != "influence"]) == 1
    assert caplog.text.count("without asking who stands behind them") == 1


def test_a_store_that_hangs_is_waited_for_once(quick: World, monkeypatch: pytest.MonkeyPatch):
    quick.live("question 1")
    search(quick)
    monkeypatch.setattr(vouching, "PATIENCE_S", 0.2)
    released = threading.Event()

    def hangs(_self: object) -> object:
        released.wait(20)
        raise StoreUnavailableError("it was away")

    with monkeypatch.context() as patch:
        patch.setattr(type(quick.services), "store", property(hangs))
        started = time.monotonic()
        for _ in range(10):
            assert questions(search(quick)) == ["question 1"]
        spent = time.monotonic() - started
        released.set()

    assert spent < 1.5


def test_a_store_that_is_back_is_asked_again(quick: World, monkeypatch: pytest.MonkeyPatch):
    quick.live("question 1", user="ann")
    monkeypatch.setattr(vouching, "PAUSE_S", 0.1)
    with monkeypatch.context() as patch:
        patch.setattr(vouching, "standings", _unavailable)
        assert search(quick, headers=bearer("ann"))["examples"][0]["yours"] is False

    time.sleep(0.15)

    assert search(quick, headers=bearer("ann"))["examples"][0]["yours"] is True


def _unavailable(*_args: object) -> object:
    raise StoreUnavailableError("away")


def test_agents_that_ask_at_once_get_what_each_asked_for(quick: World):
    ids = [quick.give(f"question {number}", user=f"user {number}") for number in range(40)]
    quick.publish(*((f"question {number}", [i]) for number, i in enumerate(ids)))
    found: dict[int, dict] = {}

    def ask(number: int) -> None:
        found[number] = search(quick, f"question {number}", headers=bearer(f"user {number}"), k=1)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [found[number]["examples"][0]["feedback_id"] for number in range(40)] == ids
    assert all(found[number]["examples"][0]["yours"] for number in range(40))
    assert len({answer["retrieval_id"] for answer in found.values()}) == 40
    assert quick.services.influence.flush()
    assert {i: use.queries for i, use in uses_of(quick.store, ids).items()} == dict.fromkeys(ids, 1)


def test_logs_hold_no_question_and_no_user(quick: World, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, "feedback_pipeline")
    quick.live("question 1", user="ann-the-secret")

    search(quick, headers=bearer("ann-the-secret"))
    quick.services.influence.flush()

    assert "question 1" not in caplog.text
    assert "ann-the-secret" not in caplog.text


def test_an_interaction_of_somebody_else_is_not_named(world: World):
    world.live("question 1")
    items = [Interaction("text2sql", "q", database_id="shop", user_id=user) for user in ("ann", "bob")]
    [(anns, _), (bobs, _)] = record_many(world.store, items)

    retrieval_ids = [search(world, interaction_id=number)["retrieval_id"] for number in (anns, bobs)]

    assert world.services.influence.flush()
    with world.store.read() as session:
        query = select(RetrievalRow.retrieval_id, RetrievalRow.interaction_id)
        named = dict(session.execute(query).tuples().all())
    assert [named[retrieval_id] for retrieval_id in retrieval_ids] == [None, bobs]


def test_a_tenant_does_not_add_to_the_uses_of_another_ones_feedback(world: World):
    feedback_id = world.live("question 1")
    tenant = bearer("product", databases=["other"])
    body = {"natural_query": "q", "examples": [{"example_id": example_id("shop", "question 1")}]}

    for database in ({"database_id": "other"}, {}):
        assert world.client.post("/interactions", json=body | database, headers=tenant).status_code == 201

    assert uses_of(world.store, [feedback_id])[feedback_id].queries == 0


def test_of_some_searches_one_example_is_kept_back_and_noted_as_withheld(tmp_path: Path):
    app = create_app(api_settings(tmp_path / "data", holdback_rate=0.5))
    with TestClient(app, raise_server_exceptions=False) as client:
        world = World(app, client)
        ids = [world.give(f"question {number}") for number in range(3)]
        world.publish(*((f"question {number}", [i]) for number, i in enumerate(ids)))

        answers = {one["retrieval_id"]: one for one in (search(world) for _ in range(40))}
        assert world.services.influence.flush()
        metrics = client.get("/metrics").text

    noted: dict[str, dict[str, bool]] = {name: {} for name in answers}
    with world.store.read() as session:
        for row in session.scalars(select(RetrievalExampleRow)):
            noted[row.retrieval_id][row.example_id] = row.withheld
        assert {row.holdback_rate for row in session.scalars(select(RetrievalRow))} == {0.5}
    for name, answer in answers.items():
        withheld = {example for example, is_withheld in noted[name].items() if is_withheld}
        given = {example["example_id"] for example in answer["examples"]}
        assert len(noted[name]) == 3
        assert len(withheld) <= 1
        assert given == noted[name].keys() - withheld
        assert {one["example_id"] for one in answer["learned_from_correction"]} == given
        assert [one["rank"] for one in answer["examples"]] == sorted(one["rank"] for one in answer["examples"])
        assert all(f"SELECT 'question {n}'" in answer["prompt"] for n in range(3)) == (not withheld)
    kept_back = sum(sum(of_one.values()) for of_one in noted.values())
    assert 8 <= kept_back <= 32
    assert f'feedback_examples_total{{how="withheld"}} {float(kept_back)}' in metrics


def test_the_same_interaction_goes_without_the_same_example_when_it_asks_again(tmp_path: Path):
    app = create_app(api_settings(tmp_path / "data", holdback_rate=0.5))
    with TestClient(app, raise_server_exceptions=False) as client:
        world = World(app, client)
        world.publish(*((f"question {n}", [world.give(f"question {n}")]) for n in range(3)))

        given = {n: [questions(search(world, interaction_id=n)) for _ in range(3)] for n in range(1, 21)}

    assert all(first == second == third for first, second, third in given.values())
    assert len({tuple(first) for first, *_ in given.values()}) > 1


def test_nothing_is_kept_back_by_default(quick: World):
    quick.publish(*((f"question {n}", [quick.give(f"question {n}")]) for n in range(3)))

    assert {len(search(quick)["examples"]) for _ in range(30)} == {3}
