"""``--verify-as``: what was just imported is checked and, where it passes, decided in a reviewer's name."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass, field

import pyarrow.compute as pc

from feedback_pipeline.checking import ExecutingChecker, check_and_record
from feedback_pipeline.intake.report import ImportReport
from feedback_pipeline.store import Status, Store, decide, stored_submissions

ROWS_PER_ROUND = 20_000
"""Enough that starting processes for the checks pays off, little enough to hold in memory."""


@dataclass
class Verifier:
    """Collects imported feedback and verifies it in large rounds; what a reviewer has decided before stays so.

    What is flagged waits for a person: trust in a source is no look at its texts.
    """

    store: Store
    checker: ExecutingChecker
    reviewer: str
    report: ImportReport
    _waiting: list[str] = field(default_factory=list)

    def add(self, feedback_ids: list[str]) -> None:
        """Take up feedback that was imported."""
        self._waiting.extend(feedback_ids)
        if len(self._waiting) >= ROWS_PER_ROUND:
            self.finish()

    def finish(self) -> None:
        """Check and decide all that is waiting. Raises StoreUnavailableError."""
        pending = stored_submissions(self.store, self._waiting, status=Status.PENDING)
        self._waiting.clear()
        checked = check_and_record(self.store, pending, self.checker)
        failed = checked.filter(~pc.field("passed"))
        self.report.not_verified.update(failed["failed_check"].to_pylist())
        unremarkable = pc.equal(pc.list_value_length(checked["flags"]), 0)
        self.report.not_verified.update(
            ["flagged"] * checked.filter(pc.and_not(checked["passed"], unremarkable)).num_rows
        )
        passing = checked.filter(pc.and_(checked["passed"], unremarkable))["feedback_id"].to_pylist()
        decisions = decide(self.store, passing, "verified", actor=self.reviewer)
        self.report.verified += sum(decision.outcome == "done" for decision in decisions)
