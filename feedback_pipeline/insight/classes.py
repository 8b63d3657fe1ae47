"""Counts put into few classes, each about ten times as wide as the one before."""

from collections.abc import Iterable
from dataclasses import dataclass

_LEAST = (0, 1, 2, 5, 10, 100, 1_000)


@dataclass(frozen=True)
class SizeClass:
    """So many things (``number``) that count from ``least`` to ``most``; None: and more."""

    least: int
    most: int | None
    number: int

    @property
    def label(self) -> str:
        """The class in a few signs, such as ``2–4``."""
        if self.most is None:
            return f"{self.least:,}+"
        return f"{self.least}" if self.least == self.most else f"{self.least}–{self.most}"


def classes(counts: Iterable[tuple[int, int]]) -> list[SizeClass]:
    """Put things into classes: each of ``counts`` says what some things count, and how many such things there are."""
    known = list(counts)
    found = []
    for least, following in zip(_LEAST, (*_LEAST[1:], None), strict=True):
        most = None if following is None else following - 1
        number = sum(things for count, things in known if count >= least and (most is None or count <= most))
        found.append(SizeClass(least, most, number))
    return found
