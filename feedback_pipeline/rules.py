"""What is decided without a person, in the order in which it must be.

Schemas are followed first, then rivals are run again side by side, and only then a consensus counts.
"""

from dataclasses import dataclass

from feedback_pipeline.drift import DriftReport, follow_schemas
from feedback_pipeline.policy import ConsensusReport, apply_consensus, renew_rivals
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store


@dataclass(frozen=True)
class RulesReport:
    """What the rules have decided in one go."""

    drift: DriftReport
    renewed: int
    consensus: ConsensusReport

    def counts(self) -> dict[str, int]:
        """Return how many databases and feedbacks each rule has touched."""
        return {
            "schemas_changed": len(self.drift.look.changed),
            "databases_unreachable": len(self.drift.look.unreachable),
            "stale": len(self.drift.stale),
            "restored": len(self.drift.restored),
            "evidence_renewed": self.renewed,
            "verified_by_consensus": len(self.consensus.verified),
        }


def apply_rules(store: Store, settings: Settings) -> RulesReport:
    """Apply all rules; a second call finds nothing to do. Raises StoreUnavailableError."""
    drift, renewed = follow_schemas(store, settings), renew_rivals(store, settings)
    return RulesReport(drift, renewed, apply_consensus(store, settings))
