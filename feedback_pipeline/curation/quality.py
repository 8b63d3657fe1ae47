"""How good is what comes in? Shares that tell of trouble: each is a number between 0 and 1 with what it counts.

Pure: tables in, shares out. Which share is too large is a setting; what happens then is up to the asset checks.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from feedback_pipeline.curation.cleaning import clean_sql, clean_text
from feedback_pipeline.curation.sql import SqlError, parse_query

ENOUGH_ROWS = 20
"""Below this number of rows a share says nothing."""

_AWAITS_A_PERSON = "pending"


@dataclass(frozen=True)
class Share:
    """``part`` of ``whole`` rows."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """The share, 0 where there are no rows, rounded to four places."""
        return round(self.part / self.whole, 4) if self.whole else 0.0

    def exceeds(self, bound: float) -> bool:
        """Tell whether the share is above ``bound``, on enough rows to mean something."""
        return self.whole >= ENOUGH_ROWS and self.value > bound


def left_out_shares(kept_rows: int, dropped: pa.Table) -> dict[str, Share]:
    """Return per reason the share of corrections left out (schemas.DROPPED), largest first; waiting is no reason."""
    reasons = Counter(reason for reason in dropped["reason"].to_pylist() if reason != _AWAITS_A_PERSON)
    whole = kept_rows + dropped.num_rows
    return {reason: Share(count, whole) for reason, count in sorted(reasons.items(), key=lambda i: (-i[1], i[0]))}


def conflict_share(verified_rows: int, dropped: pa.Table) -> Share:
    """Return the share of verified corrections that contradict another; ``dropped`` is what deduplication left out."""
    return Share(dropped["reason"].to_pylist().count("conflict"), verified_rows)


def largest_user_share(verified: pa.Table) -> Share:
    """Return the share of verified corrections (schemas.VERIFIED_FEEDBACK) that the most active user gave."""
    counts = Counter(user for user in verified["user_hash"].to_pylist() if user is not None)
    return Share(max(counts.values(), default=0), verified.num_rows)


def redacted_share(checked: pa.Table) -> tuple[Share, dict[str, int]]:
    """Return the share of corrections (schemas.CHECKED_FEEDBACK) with redactions, and how often each kind was found."""
    kinds: Counter[str] = Counter()
    for document in _documents(checked):
        for found in document.get("privacy", {}).get("redacted", {}).values():
            kinds.update(found)
    part = sum(count > 0 for count in checked["redactions"].to_pylist())
    return Share(part, checked.num_rows), dict(sorted(kinds.items()))


def unexecutable_share(checked: pa.Table) -> Share:
    """Return the share of corrections whose answer could not be run, because there is nothing to run it on."""
    outcomes = (document.get("execution", {}).get("corrected") for document in _documents(checked))
    part = sum(outcome is None or outcome["outcome"] == "not_run" for outcome in outcomes)
    return Share(part, checked.num_rows)


def holds_personal_data(example: Mapping[str, Any], dialect: str) -> bool:
    """Tell whether something in an example would still be redacted, or hidden signs removed from it.

    Args:
        example: ``natural_query``, ``sql`` and ``generated_sql`` (or None) of schemas.DEDUPED_FEEDBACK.
        dialect: SQL dialect of its database.
    """
    sqls = (text for text in (example["sql"], example["generated_sql"]) if text)
    cleaned = [clean_text(example["natural_query"]), *(clean_sql(text, dialect) for text in sqls)]
    return any(found.redactions or found.removed_signs for found in cleaned)


def only_reads(sql: str, dialect: str) -> bool:
    """Tell whether SQL is exactly one query that reads."""
    try:
        parse_query(sql, dialect)
    except SqlError:
        return False
    return True


def _documents(checked: pa.Table) -> Iterable[dict]:
    return (json.loads(text) for text in checked["checks"].to_pylist())
