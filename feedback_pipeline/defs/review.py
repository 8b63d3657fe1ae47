"""[review] What the rules decide by themselves, before anything is read."""

import dagster as dg

from feedback_pipeline.defs.erasure import finish_open_erasures
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.rules import apply_rules


@dg.asset(
    kinds={"sqlalchemy"},
    group_name="review",
    owners=["team:data-engineering"],
    code_version="1",
)
def policy_decisions(context: dg.AssetExecutionContext, feedback: Feedback) -> dg.MaterializeResult:
    """Decisions of the rules: feedback whose schema has changed goes stale or returns, a consensus is verified.

    An erasure that was interrupted is finished first, so that nothing of it is read again.
    """
    finished = finish_open_erasures(feedback, context.instance, context.run.run_id)
    report = apply_rules(feedback.store, feedback.settings)
    for database_id, problem in report.drift.look.unreachable.items():
        context.log.warning(f"the schema of {database_id} could not be looked at: {problem}")
    return dg.MaterializeResult(metadata={**report.counts(), "erasures_finished": len(finished)})
