"""Bursts: so much feedback of one user in so little time that a person should look before it is relied on."""

import numpy as np
import pyarrow as pa


def bursting(submitted: pa.Table, *, submissions: int, minutes: int) -> set[str]:
    """Return the ids of feedback that is part of a burst.

    A burst is ``submissions`` or more of one user of which the last came at most ``minutes`` after the first; wherever
    such a window can be laid, all in it belong to one. Feedback without user is part of none.

    Args:
        submitted: columns feedback_id, user_hash and created_at (see schemas.SUBMISSIONS), in any order.
        submissions: how many make a burst, at least 2.
        minutes: length of the window.
    """
    known = submitted.filter(submitted["user_hash"].is_valid())
    rows = known.sort_by([("user_hash", "ascending"), ("created_at", "ascending"), ("feedback_id", "ascending")])
    if rows.num_rows < submissions:
        return set()
    users = rows["user_hash"].combine_chunks().dictionary_encode().indices.to_numpy()
    moments = rows["created_at"].cast(pa.int64()).to_numpy()
    last, first = slice(submissions - 1, None), slice(None, rows.num_rows - submissions + 1)
    full = (users[last] == users[first]) & (moments[last] - moments[first] <= minutes * 60 * 1_000_000)
    return set(rows["feedback_id"].filter(pa.array(_covered(full, submissions))).to_pylist())


def _covered(full: np.ndarray, length: int) -> np.ndarray:
    """Tell for each row whether a full window covers it; ``full`` says so of the window that begins at each row."""
    steps = np.zeros(len(full) + length, dtype=np.int64)
    steps[: len(full)] += full
    steps[length:] -= full
    return np.cumsum(steps[:-1]) > 0
