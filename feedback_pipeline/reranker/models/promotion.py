"""Which model is in production, and how it came to be: ``production.json``, replaced as a whole with every move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from feedback_pipeline.reranker.models.model import Model
from feedback_pipeline.tables.files import read_json

Action = Literal["promote", "rollback"]


class DamagedPointerError(RuntimeError):
    """``production.json`` cannot be read, so nobody knows what is in production; the text says what to do."""


class PromotionRefusedError(RuntimeError):
    """A model must not go into production; the text says why, and whether ``--force`` helps."""


class ProductionMovedError(RuntimeError):
    """Somebody has moved the pointer since it was decided to move it; the text says where to, and what to do."""


class NothingToRollBackToError(LookupError):
    """Nothing was ever promoted, or every promotion has been taken back."""


@dataclass(frozen=True)
class Move:
    """One move of the pointer.

    Attributes:
        version: in production since then; None: no model, the retriever's own order.
        at: when, ISO 8601 in UTC.
        reason: why.
        by: who, such as ``gate`` or ``cli:ann``.
        action: ``rollback`` takes the last promotion back that still holds.
    """

    version: int | None
    at: str
    reason: str
    by: str
    action: Action = "promote"


@dataclass(frozen=True)
class Production:
    """What is in production, and every move so far, oldest first."""

    version: int | None = None
    history: tuple[Move, ...] = ()

    @property
    def before(self) -> int | None:
        """Return what a rollback would bring back: None is the retriever's own order.

        Raises:
            NothingToRollBackToError: there is nothing before.
        """
        stack = self._standing()
        if len(stack) == 1:
            raise NothingToRollBackToError(
                "no promotion is left to take back: the retriever's own order is in production"
            )
        return stack[-2]

    @property
    def last(self) -> int | None:
        """Return the version that was in production just before the one that is now."""
        earlier = [move.version for move in self.history if move.version not in (None, self.version)]
        return earlier[-1] if earlier else None

    def to_roll_back_to(self) -> set[int]:
        """Return the versions that may be wanted in production again at once, by a rollback or by undoing one."""
        stack = self._standing()
        wanted = {self.version, self.last, stack[-2] if len(stack) > 1 else None}
        return {version for version in wanted if version is not None}

    def was_in_production(self, version: int) -> bool:
        """Tell whether a version is or ever was in production."""
        return any(move.version == version for move in self.history)

    def promoted(self, version: int | None, *, reason: str, by: str) -> Production:
        """Return what is so after ``version`` was promoted."""
        return self._moved(Move(version, _now(), reason, by))

    def rolled_back(self, *, reason: str, by: str) -> Production:
        """Return what is so after a rollback. Raises NothingToRollBackToError."""
        return self._moved(Move(self.before, _now(), reason, by, "rollback"))

    def _moved(self, move: Move) -> Production:
        return replace(self, version=move.version, history=(*self.history, move))

    def _standing(self) -> list[int | None]:
        """Return the promotions that were not taken back, oldest first, after no model at all."""
        stack: list[int | None] = [None]
        for move in self.history:
            if move.action == "rollback" and len(stack) > 1:
                stack.pop()
            if stack[-1] != move.version:
                stack.append(move.version)
        return stack

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``production.json``."""
        return {"version": self.version, "history": [asdict(move) for move in self.history]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Production:
        """Return what a document says. Raises KeyError, TypeError, ValueError or AttributeError."""
        version = document["version"]
        if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
            raise ValueError(f"version {version!r} is no number")
        return cls(version, tuple(Move(**move) for move in document.get("history", [])))


def read_production(path: str) -> Production | None:
    """Return what stands in ``production.json``, None where there is no such file.

    Raises:
        DamagedPointerError: it makes no sense.
        OSError: the storage does not answer.
    """
    try:
        document = read_json(path)
        return None if document is None else Production.from_json(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedPointerError(
            f"{path} is damaged ({error}); restore it from a backup, or delete it and promote a model again"
        ) from error


def refuse_unfit(model: Model, *, force: bool, gate_counts: bool = True) -> None:
    """Read all files of a model, and refuse one that cannot serve, or should not.

    Args:
        model: what is to go into production.
        force: only refuse it where it cannot serve.
        gate_counts: refuse it where the gate did.

    Raises:
        PromotionRefusedError: it is damaged, its weights were removed, the gate refused it, or somebody was erased
            from its dataset.

    """
    if model.is_damaged:
        raise PromotionRefusedError(f"the manifest in {model.path} is damaged; restore the version from a backup")
    if model.pruned:
        raise PromotionRefusedError(f"the weights of {model.name} were removed ({model.pruned}); train it again")
    if problem := next(model.problems(), None):
        raise PromotionRefusedError(f"{model.name} is damaged: {problem}; restore it from a backup")
    if force:
        return
    if gate_counts and not model.passed_gate:
        why = "; ".join(model.reasons) or "no reason was noted"
        raise PromotionRefusedError(f"the gate refused {model.name}: {why}. To promote it all the same: --force")
    if revoked := model.revoked_dataset():
        raise PromotionRefusedError(
            f"{model.name} was trained on {revoked}, from which somebody was erased since; train anew on a later "
            "version, or put it into production all the same: --force"
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
