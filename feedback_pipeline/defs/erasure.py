"""[insight] Erasures that wait in the journal, carried out; each leaves a receipt."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from feedback_pipeline.defs.launch import dagster_home, wait_for_writers
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.defs.run_history import RunHistoryPlace
from feedback_pipeline.erasure import erase
from feedback_pipeline.erasure.remains import reopen_what_came_back
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import any_open_erasure

_ID_LISTS = {"feedback_ids", "interaction_ids"}


@dg.asset(
    kinds={"sqlalchemy", "lancedb", "parquet"},
    group_name="insight",
    owners=["team:data-engineering"],
    code_version="1",
)
def erasure_receipt(context: dg.AssetExecutionContext, feedback: Feedback) -> Iterator[dg.MaterializeResult]:
    """What was erased where, and what could not be reached; the whole receipts lie under ``erasures/``."""
    receipts = finish_open_erasures(feedback, context.instance, context.run.run_id)
    left = sum(receipt["verification"]["total"] for receipt in receipts)
    shown = [{name: value for name, value in receipt.items() if name not in _ID_LISTS} for receipt in receipts]
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(receipts),
            "leftovers": left,
            "receipts": dg.MetadataValue.json(shown),
        }
    )
    if left:
        raise dg.Failure(f"{left} remains were found after erasing; run 'feedback-pipeline erase' again")


def finish_open_erasures(
    feedback: Feedback, instance: dg.DagsterInstance, current_run: str | None = None
) -> list[dict[str, Any]]:
    """Carry out what waits in the journal and return the receipts; two cheap queries where nothing does.

    An erasure of which something came back since is opened again and carried out as well.

    Raises:
        WritersBusyError: a run that may have read what is to be erased does not end.
    """
    reopen_what_came_back(feedback.settings, feedback.store)
    if not any_open_erasure(feedback.store):
        return []
    wait_for_writers(instance, current_run)
    history = RunHistoryPlace(instance, feedback.tables, current_run)
    return erase.finish_open_erasures(feedback.settings, feedback.store, [history])


def would_erase(settings: Settings, user_hash: str) -> dict[str, Any]:
    """Return what erasing a user would remove, Dagster's history included; changes nothing.

    Raises:
        DagsterHomeError: Dagster's home cannot be used.
    """
    dagster_home(settings)
    feedback = Feedback()
    with dg.DagsterInstance.get() as instance:
        history = RunHistoryPlace(instance, feedback.tables)
        return erase.would_erase(settings, feedback.store, user_hash, [history])
