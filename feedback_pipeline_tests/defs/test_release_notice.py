"""The sensor that tells of dataset versions, and the job that pushes them."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from huggingface_hub import constants
from standardwebhooks import Webhook as Verifier

from feedback_pipeline.definitions import defs
from feedback_pipeline.defs.release_notice import dataset_release_sensor
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.publishing.retention import prune
from feedback_pipeline.settings import get_settings
from feedback_pipeline_tests.finetune.fake_hub import TOKEN, Hub, fake_hub
from feedback_pipeline_tests.finetune.webhooks import nobody_listens, webhook
from feedback_pipeline_tests.finetune.written import revoke, write_release

SECRET = base64.b64encode(bytes(range(32))).decode()

Configure = Callable[..., None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def configure(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Set settings of this process: webhooks, or repository and token of a hub."""
    monkeypatch.setenv("FEEDBACK_STORAGE_ROOT", str(root))

    def change(*urls: str, repo: str = "", token: str = "") -> None:
        monkeypatch.setenv("FEEDBACK_RELEASE_WEBHOOK_URLS", ",".join(urls))
        monkeypatch.setenv("FEEDBACK_RELEASE_WEBHOOK_SECRET", SECRET)
        monkeypatch.setenv("FEEDBACK_HUB_DATASET_REPO", repo)
        monkeypatch.setenv("FEEDBACK_HUB_TOKEN", token)
        get_settings.cache_clear()

    change()
    yield change
    get_settings.cache_clear()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with fake_hub() as running:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "ENDPOINT", running.endpoint)
        yield running


def look(cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(cursor=cursor) as context:
        answer = dataset_release_sensor(context, feedback=Feedback())
    assert isinstance(answer, dg.SensorResult | dg.SkipReason)
    return answer


def looked(cursor: str | None = None) -> dg.SensorResult:
    answer = look(cursor)
    assert isinstance(answer, dg.SensorResult)
    return answer


def said(answer: dg.SensorResult) -> str:
    assert answer.skip_reason is not None
    return str(answer.skip_reason.skip_message)


def keys(answer: dg.SensorResult) -> list[str]:
    return [str(request.run_key) for request in answer.run_requests or []]


def run(answer: dg.SensorResult) -> None:
    """Run what the sensor asked for."""
    job = defs.resolve_job_def("push_to_hub")
    for request in answer.run_requests or []:
        assert job.execute_in_process(run_config=request.run_config).success


def test_it_is_registered_and_starts_switched_on() -> None:
    sensor = defs.resolve_sensor_def("dataset_release_sensor")

    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.job_name == "push_to_hub"


def test_with_nothing_set_it_skips_without_looking(configure: Configure, root: Path) -> None:
    answer = look()

    assert isinstance(answer, dg.SkipReason)
    assert "no webhook is set (FEEDBACK_RELEASE_WEBHOOK_URLS)" in str(answer.skip_message)
    assert not root.exists()


def test_what_is_there_at_the_first_look_is_not_told(configure: Configure, root: Path) -> None:
    write_release(root, 1)
    with webhook() as hook:
        configure(hook.url)
        first = looked()
        write_release(root, 2)
        second = looked(first.cursor)
        third = looked(second.cursor)

    assert said(first) == "first look: 1 version(s) noted; what is released from now on is told"
    assert hook.told() == ["dataset.released text2sql@v2"]
    assert "told webhook 1" in said(second)
    assert said(third) == "no notice waits"
    assert second.cursor == third.cursor
    assert Verifier(SECRET).verify(hook.received[0].body, hook.received[0].headers)


def test_the_very_first_version_is_told_where_the_sensor_has_looked_before(configure: Configure, root: Path) -> None:
    with webhook() as hook:
        configure(hook.url)
        first = looked()
        write_release(root, 1, name="reranker")
        looked(first.cursor)

    assert hook.told() == ["dataset.released reranker@v1"]


def test_one_that_is_down_is_named_without_its_secrets_and_the_other_is_told(configure: Configure, root: Path) -> None:
    away = nobody_listens()
    with webhook() as hook:
        configure(away.replace("http://", "http://ann:secret@") + "?key=secret", hook.url)
        first = looked()
        write_release(root, 1)
        second = looked(first.cursor)
        third = looked(second.cursor)

    assert hook.told() == ["dataset.released text2sql@v1"]
    assert "cannot be reached (ConnectError)" in said(second)
    assert said(third) == "1 notice(s) wait"
    assert "secret" not in f"{said(second)} {second.cursor}"


def test_what_happened_while_nothing_was_set_is_no_news(configure: Configure, root: Path) -> None:
    with webhook() as hook:
        configure(hook.url)
        first = looked()
        configure()
        unset = looked(first.cursor)
        write_release(root, 1)
        assert isinstance(look(unset.cursor), dg.SkipReason)
        configure(hook.url)
        again = looked(unset.cursor)

    assert "first look: 1 version(s) noted" in said(again)
    assert hook.told() == []


def test_a_cursor_that_cannot_be_read_begins_anew(configure: Configure, root: Path) -> None:
    write_release(root, 1)
    with webhook() as hook:
        configure(hook.url)
        answer = looked('{"seen": 17}')

    assert "first look" in said(answer)
    assert hook.received == []


def test_the_newest_version_is_pushed_once_also_if_it_was_there_before(
    configure: Configure, root: Path, hub: Hub
) -> None:
    write_release(root, 1)
    newest = write_release(root, 2)
    other = write_release(root, 1, name="reranker")
    configure(repo="acme/{name}", token=TOKEN)

    first = looked()
    run(first)
    second = looked(first.cursor)

    assert keys(first) == [
        f"push/acme/reranker/v1-{other.digest[:12]}",
        f"push/acme/text2sql/v2-{newest.digest[:12]}",
    ]
    assert keys(second) == []
    assert {name: list(repo.tags) for name, repo in hub.repositories.items()} == {
        "acme/reranker": ["v1"],
        "acme/text2sql": ["v2"],
    }
    assert TOKEN not in f"{first.cursor} {first.run_requests}"


def test_a_revoked_version_loses_its_tag_and_the_one_that_replaces_it_is_pushed(
    configure: Configure, root: Path, hub: Hub
) -> None:
    configure(repo="acme/{name}", token=TOKEN)
    first: Release = write_release(root, 1)
    before = looked()
    run(before)
    write_release(root, 2)
    revoke(first, replaced_by=2)

    after = looked(before.cursor)
    run(after)

    assert [key.split("/")[0] for key in keys(after)] == ["push", "withdraw"]
    assert list(hub.repositories["acme/text2sql"].tags) == ["v2"]


def test_a_version_that_went_with_its_age_stays_on_the_hub(configure: Configure, root: Path, hub: Hub) -> None:
    configure(repo="acme/{name}", token=TOKEN)
    write_release(root, 1)
    before = looked()
    run(before)
    write_release(root, 2)
    prune(ReleaseCatalog(str(root)), "text2sql", keep=1)

    after = looked(before.cursor)
    run(after)
    run(before)

    assert [key.split("/")[0] for key in keys(after)] == ["push"]
    assert list(hub.repositories["acme/text2sql"].tags) == ["v1", "v2"]


def test_a_push_that_the_hub_refuses_fails_its_run(configure: Configure, root: Path, hub: Hub) -> None:
    configure(repo="acme/{name}", token="hf_another-token")
    write_release(root, 1)
    [request] = looked().run_requests or []

    result = defs.resolve_job_def("push_to_hub").execute_in_process(run_config=request.run_config, raise_on_error=False)

    assert not result.success
    assert "status 401" in str(result.failure_data_for_node("push_version"))
    assert "hf_another-token" not in str(result.all_events)
