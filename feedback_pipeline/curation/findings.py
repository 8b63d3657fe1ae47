"""What can be said of a correction from its SQL alone: the kinds of findings, and what each means.

Only what is certain is said; what is not said may still be so. A *flag* asks a person to look, a *note* helps who
looks. The sentences quote values and conditions of the SQL, so they are as personal as the SQL is.
"""

from dataclasses import dataclass

FLAGS = {
    "tautological": "a condition is always true, so it filters nothing",
    "contradictory": "a condition is never true, or LIMIT is 0, so nothing is found",
    "constant_condition": "a condition reads no data: it holds for all rows or for none",
    "constant_answer": "no table is read, or nothing of it shown: the values do not depend on the data",
    "huge_offset": "OFFSET skips a million rows or more, so likely nothing is found",
    "non_deterministic": "chance decides (random numbers, new UUIDs, samples): the answer is another each time",
    "filter_removed": "all that the generated SQL filters by is gone, and it reads the same tables",
    "select_star_only": "all that changes is that columns become *, or back to the same columns",
    "whole_table": "shows a whole table where the generated SQL filtered",
}
"""Kinds that ask a person to look, and what each means."""

NOTES = {
    "literal_only": "only values differ",
    "columns_only": "only the shown columns differ",
    "columns_reordered_only": "the same columns in another order",
    "headings_only": "only names of shown columns differ",
    "distinct_only": "only DISTINCT differs",
    "filter_only": "only the conditions (WHERE, HAVING) differ",
    "order_or_limit_only": "only ORDER BY, LIMIT or OFFSET differ",
    "idle_condition": "a part of a condition changes nothing",
    "select_star": "shows all columns with *",
    "depends_on_time": "the answer depends on the day or time it is run",
}
"""Kinds that help a reviewer and raise no doubt, and what each means."""


@dataclass(frozen=True)
class Finding:
    """One thing that can be said of a correction: its kind (see FLAGS and NOTES) and a sentence that says it."""

    kind: str
    sentence: str


@dataclass(frozen=True)
class Rewrite:
    """What can be said of a correction, flags first."""

    findings: tuple[Finding, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds found, each once."""
        return tuple(dict.fromkeys(finding.kind for finding in self.findings))

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the kinds that ask a person to look."""
        return tuple(kind for kind in self.kinds if kind in FLAGS)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return what there is to say, for people."""
        return tuple(dict.fromkeys(finding.sentence for finding in self.findings))
