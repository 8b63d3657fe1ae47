"""Which example a question goes without, so that its effect can be measured.

Of a share of all retrievals one example is withheld, at random: a randomised trial of every example at once. The dice
are a hash of the seed, so the same interaction that asks again is treated the same, in every process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from feedback_pipeline.retrieval.example import Example

HIGHEST_RATE = 0.5
"""Withholding costs users good answers: never from more than every second question."""

_BYTES = 8


@dataclass(frozen=True)
class HeldBack:
    """What a question is given, in its order and with its ranks, and what is withheld from it: one example or none."""

    given: tuple[Example, ...]
    withheld: tuple[Example, ...] = ()


def hold_back(examples: Sequence[Example], *, rate: float, seed: str) -> HeldBack:
    """Withhold one of ``examples`` from a share ``rate`` of all seeds, each example with equal probability.

    Which one does not depend on the order of ``examples``, and stays the same while it is among them (rendezvous
    hashing: Thaler and Ravishankar, *Using Name-Based Mappings to Increase Hit Rates*, IEEE/ACM Transactions on
    Networking 6(1), 1998). Ranks are kept, so that of the withheld is missing in what is given.

    Raises:
        ValueError: ``rate`` is not between 0 and ``HIGHEST_RATE``.

    """
    if not 0 <= rate <= HIGHEST_RATE:
        raise ValueError(f"the holdback rate must be between 0 and {HIGHEST_RATE}, not {rate}")
    if not examples or _share("whether", seed) >= rate:
        return HeldBack(tuple(examples))
    chosen = min(examples, key=lambda one: (_share("which", seed, one.example_id), one.example_id))
    given = tuple(one for one in examples if one.example_id != chosen.example_id)
    return HeldBack(given, (chosen,))


def _share(*parts: str) -> float:
    """Return a number from 0 to just below 1 that looks random and is the same for the same ``parts``."""
    drawn = blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest()
    return int.from_bytes(drawn) / 2 ** (8 * _BYTES)
