"""The run-failure sensor posts to a webhook, patiently."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import dagster as dg
import httpx
import pytest

from feedback_pipeline.defs.launch import PROMOTE, run_job
from feedback_pipeline.defs.notify import post_failure
from feedback_pipeline.defs.sensors import run_failure_alert
from feedback_pipeline.settings import get_settings
from feedback_pipeline_tests.defs.pipeline import TODAY, Pipeline, correction


@dataclass
class Webhook:
    """A server on this machine that answers with ``answers`` in turn, and 200 after them."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    received: list[dict] = field(default_factory=list)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    state = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(state.answers.pop(0) if state.answers else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_busy_webhook_is_tried_again(webhook: Webhook) -> None:
    webhook.answers = [503, 503]

    post_failure(webhook.url, {"job": "nightly"})

    assert webhook.received == [{"job": "nightly"}] * 3


def test_a_webhook_that_never_takes_it_is_given_up(webhook: Webhook) -> None:
    webhook.answers = [500] * 9

    with pytest.raises(httpx.HTTPStatusError, match="500"):
        post_failure(webhook.url, {"job": "nightly"})
    assert len(webhook.received) == 4


def failed_run(pipeline: Pipeline) -> dg.RunFailureSensorContext:
    """Fail a real run, and return the context that the daemon makes of it."""
    ids = pipeline.submit(correction(1))
    pipeline.decide(ids, "verified")
    pipeline.force_status(ids[0], "rejected")
    [run_id] = run_job(PROMOTE, pipeline.settings).run_ids
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(run_id)
        [record] = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
        event = record.event_log_entry.dagster_event
    assert run is not None
    assert event is not None
    return dg.build_run_status_sensor_context("run_failure_alert", event, instance, run).for_run_failure()


def test_a_failed_run_is_told_to_the_webhook_if_there_is_one(
    pipeline: Pipeline, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = failed_run(pipeline)
    run_failure_alert(context, feedback=pipeline.feedback)
    assert webhook.received == []
    monkeypatch.setenv("FEEDBACK_FAILURE_WEBHOOK_URL", webhook.url)
    get_settings.cache_clear()

    run_failure_alert(context, feedback=pipeline.feedback)

    [told] = webhook.received
    assert (told["job"], told["run_id"], told["partition"]) == (PROMOTE, context.dagster_run.run_id, TODAY.isoformat())
    assert "verified_feedback_no_unverified_row" in told["message"]
