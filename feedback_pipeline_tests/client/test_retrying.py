"""A server that is away, busy or gone in the middle of an answer: nothing is lost, nothing stored twice."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from feedback_pipeline.client import FeedbackError, FeedbackUnavailableError
from feedback_pipeline.client.errors import error_of
from feedback_pipeline.client.retrying import MAX_WAIT_S, policy
from feedback_pipeline.store import Store, list_feedback
from feedback_pipeline_tests.api.conftest import token
from feedback_pipeline_tests.client.conftest import Connect
from feedback_pipeline_tests.client.servers import Fault, Unreliable

QUESTION, SQL = "How many orders?", "SELECT COUNT(*) FROM orders"


@pytest.mark.parametrize("faults", [["busy", "busy"], ["cut"], ["slow", "busy"], ["cut", "cut"]])
def test_a_correction_arrives_once_whatever_happens_on_the_way(
    connect: Connect, url: str, unreliable: Unreliable, store: Store, faults: list[Fault]
):
    unreliable.faults = list(faults)

    entry = connect(url, timeout=1).correct("shop", QUESTION, corrected_sql=SQL)

    assert [found["feedback_id"] for found in list_feedback(store)] == [entry.feedback_id]
    assert len(unreliable.keys) > len(faults)
    assert len(set(unreliable.keys)) == 1
    assert unreliable.keys[0]


def test_an_interaction_whose_answer_was_lost_keeps_its_id(connect: Connect, url: str, unreliable: Unreliable):
    client = connect(url)
    unreliable.faults = ["cut"]

    first = client.record_interaction(QUESTION, database_id="shop", output=SQL)
    second = client.record_interaction(QUESTION, database_id="shop", output=SQL)

    assert (first, second) == (1, 2)


def test_a_key_of_ones_own_makes_repeating_safe_after_a_crash(connect: Connect, url: str, store: Store):
    entries = [
        connect(url).correct("shop", QUESTION, corrected_sql=SQL, idempotency_key="row 7").feedback_id for _ in range(2)
    ]

    assert entries[0] == entries[1]
    assert len(list_feedback(store)) == 1


def test_ratings_bear_a_key_too(connect: Connect, url: str, unreliable: Unreliable):
    client = connect(url)
    interaction_id = client.record_interaction(QUESTION, database_id="shop", output=SQL)
    unreliable.faults = ["busy"]

    client.rate(interaction_id, 1)

    assert unreliable.keys[1] == unreliable.keys[2] is not None


def test_the_wait_that_the_server_asks_for_is_kept(connect: Connect, url: str, unreliable: Unreliable):
    unreliable.faults = ["throttled"]
    started = time.monotonic()

    connect(url).search(QUESTION, "shop")

    assert time.monotonic() - started >= 1


def test_a_server_that_stays_away_is_reported_after_the_last_try(connect: Connect, url: str, unreliable: Unreliable):
    unreliable.faults = ["busy"] * 9

    with pytest.raises(FeedbackUnavailableError) as gone:
        connect(url, retries=2).correct("shop", QUESTION, corrected_sql=SQL)

    assert (gone.value.status, gone.value.code, gone.value.request_id) == (503, "store_unavailable", "r1")
    assert gone.value.retry_after == 0
    assert len(unreliable.seen) == 3


def test_where_nobody_listens_the_error_says_so(connect: Connect):
    with pytest.raises(FeedbackUnavailableError, match="No answer came"):
        connect("http://127.0.0.1:9", retries=1).rate(1, 1)


def test_an_address_without_scheme_is_not_tried_again(connect: Connect):
    started = time.monotonic()

    with pytest.raises(FeedbackError, match="cannot be sent"):
        connect("feedback.example.com").rate(1, 1)

    assert time.monotonic() - started < 0.2


def test_a_page_that_is_no_api_is_named_as_the_reason(connect: Connect, url: str, unreliable: Unreliable):
    unreliable.faults = ["html"]

    with pytest.raises(FeedbackError, match="is this the address of the API"):
        connect(url).search(QUESTION, "shop")

    assert len(unreliable.seen) == 1


def test_an_error_of_the_token_function_is_not_taken_for_one_of_the_server(connect: Connect, url: str):
    def no_token() -> str:
        raise httpx.ConnectError("the identity provider is away")

    with pytest.raises(httpx.ConnectError, match="identity provider"):
        connect(url, no_token).rate(1, 1)


def test_the_token_function_of_the_async_client_may_be_async(url: str, loop):
    import asyncio

    from feedback_pipeline.client import AsyncFeedbackClient

    async def fetched() -> str:
        await asyncio.sleep(0)
        return token()

    async def record() -> int:
        async with AsyncFeedbackClient(url, fetched) as client:
            return await client.record_interaction(QUESTION, database_id="shop", output=SQL)

    assert asyncio.run_coroutine_threadsafe(record(), loop).result(10) == 1


@pytest.mark.parametrize(
    ("header", "expected"),
    [("7", 7.0), (" 0 ", 0.0), ("nan", None), ("-3", None), ("soon", None), ("", None)],
)
def test_the_wait_is_read_from_a_number_of_seconds(header: str, expected: float | None):
    error = error_of(httpx.Response(503, headers={"Retry-After": header}))

    assert isinstance(error, FeedbackUnavailableError)
    assert error.retry_after == expected


def test_the_wait_is_read_from_a_date():
    moment = datetime.now(UTC) + timedelta(seconds=60)

    error = error_of(httpx.Response(429, headers={"Retry-After": format_datetime(moment, usegmt=True)}))

    assert isinstance(error, FeedbackUnavailableError)
    assert error.retry_after == pytest.approx(60, abs=2)


def test_no_wait_is_longer_than_the_longest():
    import tenacity

    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.set_exception((FeedbackUnavailableError, FeedbackUnavailableError("away", retry_after=86_400), None))

    assert MAX_WAIT_S <= policy(4)["wait"](state) < MAX_WAIT_S + 1
