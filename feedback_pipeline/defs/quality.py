"""What warns: shares that tell of trouble, each with its bound in the settings. Nothing here stops anything."""

from typing import Any

import daft
import dagster as dg
import pyarrow as pa

from feedback_pipeline.curation import quality
from feedback_pipeline.curation.quality import Share
from feedback_pipeline.defs.checks import partition_of
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.schemas import CHECKED_FEEDBACK, DROPPED


def _warning(share: Share, bound: float, words: str, **metadata: Any) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not share.exceeds(bound),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{words}: {share.part} of {share.whole} ({share.value:.1%}, bound {bound:.0%})",
        metadata={"share": share.value, "bound": bound, **metadata},
    )


def _dropped(feedback: Feedback, stage: str) -> pa.Table:
    stored = feedback.tables.read_partition(f"{stage}_dropped")
    return DROPPED.empty_table() if stored is None else stored


def _day(context: dg.AssetCheckExecutionContext, feedback: Feedback) -> pa.Table:
    stored = feedback.tables.read_partition("checked_feedback", partition_of(context, "checked_feedback", feedback))
    return CHECKED_FEEDBACK.empty_table() if stored is None else stored


@dg.asset_check(asset="checked_feedback")
def redacted_share(context: dg.AssetCheckExecutionContext, feedback: Feedback) -> dg.AssetCheckResult:
    """How many of the day's corrections held personal data or secrets; by kind, never what they were."""
    share, kinds = quality.redacted_share(_day(context, feedback))
    bound = feedback.settings.max_redacted_share
    return _warning(share, bound, "with redactions", redacted=dg.MetadataValue.json(kinds))


@dg.asset_check(asset="checked_feedback")
def unexecutable_share(context: dg.AssetCheckExecutionContext, feedback: Feedback) -> dg.AssetCheckResult:
    """How many of the day's answers could not be run, so that only a person can tell whether they are right."""
    share = quality.unexecutable_share(_day(context, feedback))
    return _warning(share, feedback.settings.max_unexecutable_share, "could not be run")


@dg.asset_check(asset="verified_feedback")
def rejected_share(feedback: Feedback, verified_feedback: daft.DataFrame) -> dg.AssetCheckResult:
    """How many corrections were left out for each reason; the most frequent reason is held against the bound."""
    dropped = _dropped(feedback, "verified_feedback")
    shares = quality.left_out_shares(verified_feedback.count_rows(), dropped)
    worst = next(iter(shares), "nothing left out")
    share = shares.get(worst, Share(0, 0))
    by_reason = {reason: found.value for reason, found in shares.items()}
    bound = feedback.settings.max_rejected_share
    return _warning(share, bound, f"left out as “{worst}”", shares=dg.MetadataValue.json(by_reason))


@dg.asset_check(asset="verified_feedback")
def user_concentration(feedback: Feedback, verified_feedback: daft.DataFrame) -> dg.AssetCheckResult:
    """How much of what is verified comes from one user. In the weights, that share is capped."""
    verified = verified_feedback.select("user_hash").to_arrow()
    share = quality.largest_user_share(verified)
    return _warning(share, feedback.settings.max_user_share, "from the most active user")


@dg.asset_check(asset="deduped_feedback")
def conflict_share(feedback: Feedback) -> dg.AssetCheckResult:
    """How many verified corrections contradict another and are set aside until a reviewer chooses."""
    verified = feedback.tables.describe("verified_feedback")
    share = quality.conflict_share(verified.rows if verified else 0, _dropped(feedback, "deduped_feedback"))
    return _warning(share, feedback.settings.max_conflict_share, "in conflict")


QUALITY_CHECKS = [redacted_share, unexecutable_share, rejected_share, user_concentration, conflict_share]
