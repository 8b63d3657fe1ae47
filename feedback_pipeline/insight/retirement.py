"""Examples that make answers worse, proposed for retirement. A person decides."""

from collections.abc import Callable, Iterable, Set

from feedback_pipeline.insight.lift import FEWEST_JUDGED, Measured
from feedback_pipeline.store import Store
from feedback_pipeline.store.retirements import Evidence, Renewal, renew


def propose(store: Store, measured: Iterable[Measured], live: Callable[[Set[str]], Set[str]]) -> Renewal:
    """Propose to retire what is harmful beyond doubt, and take back proposals that are not borne out any more.

    Args:
        store: where proposals stand.
        measured: all examples with judged answers.
        live: returns which of some examples agents can be given now; the others do no harm.

    Raises:
        StoreUnavailableError: the store cannot be reached.

    """
    harmful = {one.example_id: one for one in measured if one.is_harmful()}
    in_use = live(harmful.keys()) if harmful else frozenset()
    return renew(store, {i: one.evidence() for i, one in harmful.items() if i in in_use}, is_new=says_more)


def says_more(known: Evidence, now: Evidence) -> bool:
    """Tell whether so many answers were judged since on either side that they would be evidence of their own."""
    return all(now[side] - known[side] >= FEWEST_JUDGED for side in ("judged_with", "judged_without"))
