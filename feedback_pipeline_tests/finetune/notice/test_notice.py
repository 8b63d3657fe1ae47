"""What receivers are told, how it is signed, and what happens when they are away."""

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError
from tenacity import wait_none

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.notice import webhooks as notices
from feedback_pipeline.finetune.notice.outbox import Outbox, cursor_of, opened
from feedback_pipeline.finetune.notice.webhooks import (
    RELEASED,
    Notice,
    NotTakenError,
    Receiver,
    described,
    event_of,
    post,
    receivers,
)
from feedback_pipeline.finetune.publishing.retention import prune
from feedback_pipeline.settings import Settings
from feedback_pipeline_tests.finetune.webhooks import nobody_listens, webhook
from feedback_pipeline_tests.finetune.written import revoke, write_release

SECRET = SecretStr(f"whsec_{base64.b64encode(bytes(range(32))).decode()}")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_pauses(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once, but where the pauses are what is looked at."""
    if "pause" not in request.node.name:
        monkeypatch.setattr(post.retry, "wait", wait_none())


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return write_release(tmp_path, 4)


@pytest.fixture
def catalog(tmp_path: Path) -> ReleaseCatalog:
    return ReleaseCatalog(str(tmp_path))


@pytest.fixture
def outbox(catalog: ReleaseCatalog) -> Outbox:
    """A memory that has looked once, before there was anything."""
    box = Outbox()
    box.look(catalog)
    return box


def told(release: Release, event: str = RELEASED) -> Notice:
    return Notice(event, release, NOON.isoformat())


def deliver(
    outbox: Outbox, catalog: ReleaseCatalog, to: Sequence[Receiver], now: datetime = NOON
) -> tuple[Outbox, list[str]]:
    """Look once and post what is due; return the memory as the next look will read it."""
    changed, unreadable = outbox.look(catalog)
    outbox.add(changed, to, now)
    lines = outbox.deliver(catalog, to, lambda receiver, notice: post(receiver, notice, SECRET), now)
    read_again = opened(cursor_of(outbox))
    assert read_again is not None
    return read_again, [*unreadable, *lines]


def test_a_version_is_described_without_rows_or_users(release: Release) -> None:
    with webhook() as hook:
        post(Receiver(1, hook.url), told(release), SECRET)

    [received] = hook.received
    assert received.document == {
        "type": "dataset.released",
        "timestamp": "2026-03-01T12:00:00+00:00",
        "data": {
            "name": "text2sql",
            "version": 4,
            "reference": "text2sql@v4",
            "digest": release.digest,
            "parent": release.manifest["parent"],
            "rows": {"default": {"train": 2}, "sft": {"train": 2}},
            "changes": {"added": 1, "removed": 0, "changed": 0, "moved": 0},
            "path": release.path,
            "reason": None,
            "replaced_by": None,
        },
    }


def test_a_version_before_format_2_is_described_too(tmp_path: Path) -> None:
    release = write_release(tmp_path, 1)
    old = {key: value for key, value in release.manifest.items() if key not in {"format", "configs", "changes"}}

    document = described(Release("text2sql", 1, release.path, old))

    assert (document["rows"], document["changes"], document["parent"]) == ({"default": {"train": 2}}, None, None)


def test_the_signature_is_the_one_of_standard_webhooks(release: Release) -> None:
    with webhook() as hook:
        post(Receiver(1, hook.url), told(release), SECRET)

    [received] = hook.received
    headers = received.headers
    assert Verifier(SECRET.get_secret_value()).verify(received.body, headers) == received.document
    # Said once more without the library, as a receiver would.
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body
    digest = hmac.new(bytes(range(32)), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["content-type"] == "application/json"


def test_another_secret_or_another_body_does_not_verify(release: Release) -> None:
    with webhook() as hook:
        post(Receiver(1, hook.url), told(release), SECRET)

    [received] = hook.received
    with pytest.raises(WebhookVerificationError):
        Verifier(base64.b64encode(bytes(32)).decode()).verify(received.body, received.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET.get_secret_value()).verify(received.body + b" ", received.headers)


def test_a_receiver_that_fails_twice_gets_the_same_notice_a_third_time(release: Release) -> None:
    with webhook(503, 429) as hook:
        post(Receiver(1, hook.url), told(release), SECRET)

    assert len(hook.received) == 3
    assert len({one.headers["webhook-id"] for one in hook.received}) == 1
    assert len({one.body for one in hook.received}) == 1


def test_there_are_growing_pauses_between_attempts(release: Release) -> None:
    with webhook(503, 503) as hook:
        begun = time.monotonic()
        post(Receiver(1, hook.url), told(release), SECRET)

    assert 1 < time.monotonic() - begun < 6


@pytest.mark.parametrize("status", [400, 401, 404, 410, 302])
def test_a_refusal_is_not_tried_again_at_once(release: Release, status: int) -> None:
    with webhook(status) as hook, pytest.raises(NotTakenError, match=f"answered {status}") as caught:
        post(Receiver(1, hook.url), told(release), SECRET)

    assert len(hook.received) == 1
    assert not caught.value.passing


def test_a_receiver_that_stays_broken_is_let_go_after_three_attempts(release: Release) -> None:
    with webhook(*[500] * 9) as hook, pytest.raises(NotTakenError, match="answered 500") as caught:
        post(Receiver(1, hook.url), told(release), SECRET)

    assert len(hook.received) == 3
    assert caught.value.passing


def test_a_slow_receiver_is_not_waited_for(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_TIMEOUT_SECONDS", 0.2)

    with webhook(seconds=1) as hook:
        begun = time.monotonic()
        with pytest.raises(NotTakenError, match=r"did not answer within 0.2 seconds"):
            post(Receiver(1, hook.url), told(release), SECRET)

        assert time.monotonic() - begun < 4


def test_a_receiver_that_is_down_says_so(release: Release) -> None:
    with pytest.raises(NotTakenError, match=r"cannot be reached \(ConnectError\)") as caught:
        post(Receiver(1, nobody_listens()), told(release), SECRET)

    assert caught.value.passing


def test_ids_tell_versions_events_and_contents_apart(tmp_path: Path) -> None:
    first, second = write_release(tmp_path, 1), write_release(tmp_path, 2)
    rebuilt = Release("text2sql", 1, first.path, {**first.manifest, "digest": "other"})

    ids = {told(first).id, told(second).id, told(rebuilt).id, told(first, "dataset.revoked").id}

    assert len(ids) == 4
    assert told(first).id == Notice(RELEASED, first, "2027-01-01T00:00:00+00:00").id


def test_no_secret_of_an_address_is_said_or_logged(release: Release, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with webhook(404) as hook:
        host = f"127.0.0.1:{hook.port}"
        receiver = Receiver(2, f"http://ann:pass-word@{host}/path-secret?key=query-secret")
        with pytest.raises(NotTakenError) as caught:
            post(receiver, told(release), SECRET)

    said = " ".join([caplog.text, str(caught.value), repr(receiver), receiver.label, receiver.key])
    assert receiver.label == f"webhook 2 (http://{host})"
    assert not [secret for secret in ("pass-word", "path-secret", "query-secret", "ann") if secret in said]
    assert caught.value.__cause__ is None
    assert hook.received[0].headers["authorization"].startswith("Basic ")


def test_no_secret_of_the_storage_root_is_told() -> None:
    manifest = {"digest": "d", "rows": {"train": 1}, "files": []}

    document = described(Release("text2sql", 1, "s3://key:secret@bucket/releases/text2sql/v1?token=t", manifest))

    assert document["path"] == "s3://bucket/releases/text2sql/v1"


def settings(**fields: str) -> Settings:
    return Settings(_env_file=None, **fields)  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_webhooks_are_listed_once_each_in_order() -> None:
    urls = "https://a.example/x, http://b.example:8080 ,https://a.example/x"

    found = receivers(settings(release_webhook_urls=urls, release_webhook_secret=SECRET.get_secret_value()))

    assert [one.label for one in found] == ["webhook 1 (https://a.example)", "webhook 2 (http://b.example:8080)"]
    assert receivers(settings()) == []


@pytest.mark.parametrize(
    "url", ["ftp://a.example", "a.example/hook", "https:///secret", "https://a.example:port/secret"]
)
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValidationError, match="item 2 is no address such as") as caught:
        settings(release_webhook_urls=f"https://a.example,{url}", release_webhook_secret=SECRET.get_secret_value())

    assert url not in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "why"), [("", "is needed with"), ("hunter2-hunter2", "24 or more"), ("whsec_YWJj", "24 or more")]
)
def test_a_secret_that_cannot_sign_is_refused_without_repeating_it(secret: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        settings(release_webhook_urls="https://a.example", release_webhook_secret=secret)

    assert not secret or secret not in str(caught.value)
    assert settings(release_webhook_secret="").release_webhook_secret is None


def test_each_version_is_told_once_to_each_receiver(outbox: Outbox, catalog: ReleaseCatalog, tmp_path: Path) -> None:
    with webhook() as one, webhook() as other:
        to = [Receiver(1, one.url), Receiver(2, other.url)]
        write_release(tmp_path, 1)
        outbox, lines = deliver(outbox, catalog, to)
        write_release(tmp_path, 2)
        write_release(tmp_path, 1, name="reranker")
        outbox, _ = deliver(outbox, catalog, to)
        outbox, later = deliver(outbox, catalog, to)

    everything = ["dataset.released text2sql@v1", "dataset.released reranker@v1", "dataset.released text2sql@v2"]
    assert one.told() == other.told() == everything
    assert lines == [f"told {receiver.label}: dataset.released of text2sql v1" for receiver in to]
    assert later == []


def test_one_that_is_down_loses_nothing_and_holds_up_nobody(
    outbox: Outbox, catalog: ReleaseCatalog, tmp_path: Path
) -> None:
    with webhook() as up, webhook(*[503] * 3) as down:
        to = [Receiver(1, down.url), Receiver(2, up.url)]
        write_release(tmp_path, 1)
        write_release(tmp_path, 2)
        outbox, lines = deliver(outbox, catalog, to)
        assert up.told() == ["dataset.released text2sql@v1", "dataset.released text2sql@v2"]
        assert "webhook 1" in lines[0]
        assert "answered 503; dataset.released of text2sql v1 is posted again from 2026-03-01 12:01 UTC on" in lines[0]

        outbox, _ = deliver(outbox, catalog, to, NOON + timedelta(seconds=30))
        outbox, _ = deliver(outbox, catalog, to, NOON + timedelta(seconds=61))

    assert len(up.received) == 2
    assert set(down.told()[:3]) == {"dataset.released text2sql@v1"}
    assert sorted(down.told()[3:]) == ["dataset.released text2sql@v1", "dataset.released text2sql@v2"]
    assert outbox.waiting_count == 0
    ids = {one.headers["webhook-id"] for one in down.received if one.document["data"]["version"] == 1}
    assert len(ids) == 1


def test_pauses_grow_up_to_six_hours_and_end_after_seven_days(
    outbox: Outbox, catalog: ReleaseCatalog, tmp_path: Path
) -> None:
    to, attempts, now, lines = [Receiver(1, "https://away.example")], [], NOON, []
    write_release(tmp_path, 1)
    changed, _ = outbox.look(catalog)
    outbox.add(changed, to, NOON)

    def refuse(receiver: Receiver, notice: Notice) -> None:
        attempts.append(now)
        raise NotTakenError("answered 500", passing=True)

    while outbox.waiting_count:
        lines += outbox.deliver(catalog, to, refuse, now)
        now += timedelta(minutes=1 if now < NOON + timedelta(hours=1) else 30)

    pauses = [later - earlier for earlier, later in pairwise(attempts)]
    assert pauses[:4] == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert max(pauses) == timedelta(hours=6)
    assert timedelta(days=7) <= attempts[-1] - NOON < timedelta(days=7, hours=6)
    assert "gave up telling webhook 1 (https://away.example) after 7 days" in lines[-1]


def test_a_refused_notice_does_not_hold_up_the_next(outbox: Outbox, catalog: ReleaseCatalog, tmp_path: Path) -> None:
    with webhook(400) as hook:
        write_release(tmp_path, 1)
        write_release(tmp_path, 2)
        outbox, _ = deliver(outbox, catalog, [Receiver(1, hook.url)])

    assert hook.told() == ["dataset.released text2sql@v1", "dataset.released text2sql@v2"]
    assert outbox.waiting_count == 1


def test_a_revocation_is_told_after_the_version_that_replaces_it(
    outbox: Outbox, catalog: ReleaseCatalog, tmp_path: Path
) -> None:
    with webhook() as hook:
        first = write_release(tmp_path, 1)
        outbox, _ = deliver(outbox, catalog, [Receiver(1, hook.url)])
        write_release(tmp_path, 2)
        revoke(first, replaced_by=2)
        for _ in range(2):
            outbox, _ = deliver(outbox, catalog, [Receiver(1, hook.url)])

    assert hook.told()[1:] == ["dataset.released text2sql@v2", "dataset.revoked text2sql@v1"]
    data = hook.received[-1].document["data"]
    assert (data["reason"], data["replaced_by"]) == ("erasure", 2)


def test_a_version_that_went_with_its_age_is_retired_and_not_revoked(
    outbox: Outbox, catalog: ReleaseCatalog, tmp_path: Path
) -> None:
    with webhook() as hook:
        for version in (1, 2):
            write_release(tmp_path, version)
        outbox, _ = deliver(outbox, catalog, [Receiver(1, hook.url)])
        prune(catalog, "text2sql", keep=1)
        outbox, _ = deliver(outbox, catalog, [Receiver(1, hook.url)])

    assert hook.told()[2:] == ["dataset.retired text2sql@v1"]


def test_nobody_is_sent_to_fetch_what_was_revoked_before_he_was_told(
    outbox: Outbox, catalog: ReleaseCatalog, tmp_path: Path
) -> None:
    with webhook(*[500] * 3) as hook:
        first = write_release(tmp_path, 1)
        outbox, _ = deliver(outbox, catalog, [Receiver(1, hook.url)])
        write_release(tmp_path, 2)
        revoke(first, replaced_by=2)
        outbox, lines = deliver(outbox, catalog, [Receiver(1, hook.url)], NOON + timedelta(hours=1))

    assert hook.told()[3:] == ["dataset.released text2sql@v2", "dataset.revoked text2sql@v1"]
    assert "dataset.released of text2sql v1 is no longer true, so webhook 1" in lines[0]


def test_a_manifest_that_is_only_touched_is_no_news(outbox: Outbox, catalog: ReleaseCatalog, tmp_path: Path) -> None:
    release = write_release(tmp_path, 1)
    assert len(outbox.look(catalog)[0]) == 1

    path = Path(release.path, "manifest.json")
    path.write_text(json.dumps(release.manifest, indent=1))

    assert outbox.look(catalog) == ([], [])


def test_a_version_built_again_with_other_content_is_news(
    outbox: Outbox, catalog: ReleaseCatalog, tmp_path: Path
) -> None:
    write_release(tmp_path, 1)
    outbox.look(catalog)

    write_release(tmp_path, 1, digest="other")

    [changed], _ = outbox.look(catalog)
    assert changed.digest == "other"


def test_a_damaged_manifest_holds_up_no_other_and_is_told_once_it_is_mended(
    outbox: Outbox, catalog: ReleaseCatalog, tmp_path: Path
) -> None:
    release = write_release(tmp_path, 1)
    write_release(tmp_path, 2)
    path = Path(release.path, "manifest.json")
    path.write_text("{")

    changed, unreadable = outbox.look(catalog)

    assert [one.version for one in changed] == [2]
    assert "v1/manifest.json is damaged" in unreadable[0]
    path.write_text(json.dumps(release.manifest))
    assert [one.version for one in outbox.look(catalog)[0]] == [1]


def test_releases_on_an_object_store_are_seen_too(tmp_path: Path) -> None:
    write_release(tmp_path, 1)
    root = f"memory://{uuid4()}"
    catalog, outbox = ReleaseCatalog(root), Outbox()
    assert outbox.look(catalog) == ([], [])
    fs, inner = fsspec.core.url_to_fs(root)
    fs.put(str(tmp_path / "releases"), f"{inner}/releases", recursive=True)

    [seen], _ = outbox.look(catalog)

    assert (seen.name, seen.version, event_of(seen)) == ("text2sql", 1, RELEASED)
    assert outbox.look(catalog) == ([], [])


def test_the_memory_holds_no_address_and_is_equal_for_equal_content(
    outbox: Outbox, catalog: ReleaseCatalog, tmp_path: Path
) -> None:
    write_release(tmp_path, 1)
    changed, _ = outbox.look(catalog)
    outbox.add(changed, [Receiver(1, "https://ann:secret@hooks.example/path")], NOON)

    cursor = cursor_of(outbox)

    assert "hooks.example" not in cursor
    assert "secret" not in cursor
    assert cursor_of(opened(cursor) or Outbox()) == cursor


@pytest.mark.parametrize("cursor", [None, "", "null", "{", '{"seen": 3}', "17"])
def test_no_memory_and_a_memory_that_cannot_be_read_are_the_same(cursor: str | None) -> None:
    assert opened(cursor) is None
