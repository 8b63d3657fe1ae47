"""Telling the world about new dataset versions: webhooks from the sensor itself, the hub from a run of its own.

A push can take longer than a sensor may, so the sensor asks for a run; its run key names repository, version and
digest, so each is asked for once.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg
from pydantic import SecretStr

from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.finetune.catalog import Release
from feedback_pipeline.finetune.notice.hub import hub_repository
from feedback_pipeline.finetune.notice.outbox import Outbox, cursor_of, opened
from feedback_pipeline.finetune.notice.webhooks import RELEASED, REVOKED, event_of, post, receivers
from feedback_pipeline.settings import Settings

_SECONDS_BETWEEN_LOOKS = 60
_FORGET = "null"
"""A cursor that holds nothing: Dagster keeps the former one where none is given."""


class PushConfig(dg.Config):
    """Which version to push, or to withdraw where it is revoked."""

    dataset: str
    version: int


@dg.op(pool="hub")
def push_version(context: dg.OpExecutionContext, config: PushConfig, feedback: Feedback) -> None:
    """Bring the Hugging Face repository of a dataset up to a version, or take the tag of a revoked one from it."""
    release = feedback.releases.look_up(f"{config.dataset}@v{config.version}")
    repository = hub_repository(feedback.settings, config.dataset)
    if repository is None:
        context.log.info("FEEDBACK_HUB_DATASET_REPO or FEEDBACK_HUB_TOKEN is not set any more: nothing is pushed")
    elif event_of(release) == REVOKED:
        context.log.warning(repository.withdraw(release))
    elif event_of(release) == RELEASED:
        context.log.info(repository.push(release))
    else:
        context.log.info(f"{config.dataset} v{config.version} is retired: the hub keeps it if it has it")


@dg.job(description="One version of a dataset to its Hugging Face repository.")
def push_to_hub() -> None:
    """Push, or withdraw, one version."""
    push_version()


@dg.sensor(
    # By name: Dagster makes a sensor anew for a job of ops, with a parameter that it warns of itself.
    job_name=push_to_hub.name,
    minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def dataset_release_sensor(context: dg.SensorEvaluationContext, feedback: Feedback) -> dg.SensorResult | dg.SkipReason:
    """Tell the configured webhooks of each version that is new or revoked, and have the newest pushed to the hub.

    What is there at the first look is only noted. The cursor is the memory of what was seen and of who still has to be
    told; it is forgotten while nothing is configured, so that old news is not told later.
    """
    settings = feedback.settings
    to_hub = hub_repository(settings, "any") is not None
    if not receivers(settings) and not to_hub:
        reason = "no webhook is set (FEEDBACK_RELEASE_WEBHOOK_URLS) and no hub (FEEDBACK_HUB_DATASET_REPO, _TOKEN)"
        remembers = context.cursor not in {None, "", _FORGET}
        return dg.SensorResult(skip_reason=reason, cursor=_FORGET) if remembers else dg.SkipReason(reason)
    former = opened(context.cursor)
    outbox = former or Outbox()
    changed, lines = outbox.look(feedback.releases)
    news = changed if former else []
    lines += _told(outbox, news, feedback)
    for line in lines:
        context.log.info(line)
    requests = [*_pushes(outbox, settings), *_withdrawals(news, settings)] if to_hub else []
    reason = None if requests else _said(lines, outbox, first=former is None)
    return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=cursor_of(outbox))


def _told(outbox: Outbox, news: Sequence[Release], feedback: Feedback) -> list[str]:
    settings, now = feedback.settings, datetime.now(UTC)
    to, secret = receivers(settings), settings.release_webhook_secret or SecretStr("")
    outbox.add(news, to, now)
    return outbox.deliver(feedback.releases, to, lambda receiver, notice: post(receiver, notice, secret), now)


def _said(lines: Sequence[str], outbox: Outbox, *, first: bool) -> str:
    if first:
        noted = sum(map(len, outbox.seen.values()))
        return f"first look: {noted} version(s) noted; what is released from now on is told"
    waiting = f"{outbox.waiting_count} notice(s) wait" if outbox.waiting_count else "no notice waits"
    return "; ".join([*lines, waiting])


def _pushes(outbox: Outbox, settings: Settings) -> list[dg.RunRequest]:
    """Ask for the newest version of each dataset, once."""
    wanted = {
        name: _request("push", settings, name, version, digest) for name, (version, digest) in outbox.newest().items()
    }
    new = [request for name, request in wanted.items() if outbox.asked.get(name) != request.run_key]
    outbox.asked = {name: str(request.run_key) for name, request in wanted.items()}
    return new


def _withdrawals(news: Sequence[Release], settings: Settings) -> list[dg.RunRequest]:
    revoked = [one for one in news if event_of(one) == REVOKED]
    return [_request("withdraw", settings, one.name, one.version, one.digest[:12]) for one in revoked]


def _request(what: str, settings: Settings, name: str, version: int, digest: str) -> dg.RunRequest:
    config = {"ops": {"push_version": {"config": {"dataset": name, "version": version}}}}
    key = f"{what}/{(settings.hub_dataset_repo or '').format(name=name)}/v{version}-{digest}"
    return dg.RunRequest(run_key=key, run_config=config)
