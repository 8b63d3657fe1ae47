"""What is decided without a person, in the order in which it must be: schemas are followed, then a consensus counts."""

from dataclasses import dataclass

from feedback_pipeline.drift import DriftReport, follow_schemas
from feedback_pipeline.policy import ConsensusReport, apply_consensus
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store


@dataclass(frozen=True)
class RulesReport:
    """What the rules have decided in one go."""

    drift: DriftReport
    consensus: ConsensusReport

    def counts(self) -> dict[str, int]:
        """Return how many databases and feedbacks each rule has touched."""
        return {
            "schemas_changed": len(self.drift.look.changed),
            "databases_unreachable": len(self.drift.look.unreachable),
            "stale": len(self.drift.stale),
            "restored": len(self.drift.restored),
            "verified_by_consensus": len(self.consensus.verified),
        }


def apply_rules(store: Store, settings: Settings) -> RulesReport:
    """Apply all rules; a second call finds nothing to do. Raises StoreUnavailableError."""
    return RulesReport(follow_schemas(store, settings), apply_consensus(store, settings))
