import json
from typing import Any

import pytest

from feedback_pipeline.insight import utilisation
from feedback_pipeline.store import Store
from feedback_pipeline_tests.insight.stories import NOW, answer, becomes, retrieve, say, tell

STORY = (("submitted", 60), ("verified", 50, "ada"), ("applied", 40, "pipeline"))


def fill(store: Store, database_id: str, user: str) -> None:
    """Let one of everything happen in a database."""
    taught = tell(store, *STORY, database_id=database_id, user=user, sql="SELECT 1", mistake=True)
    tell(store, ("submitted", 5), database_id=database_id, user=user, sql="SELECT 1", mistake=True)
    becomes(store, taught, f"e-{database_id}")
    retrieve(store, 3, f"e-{database_id}", database_id=database_id)
    answer(store, 2, f"e-{database_id}", database_id=database_id, feedback=1)
    say(store, taught, "ada", "rejected", 20)
    say(store, taught, "grace", "rejected", 20)


def plain(store: Store, **options: Any) -> str:
    return json.dumps(utilisation(store, now=NOW, **options).as_dict(), default=str, sort_keys=True)


def test_nothing_of_other_databases_is_counted(store: Store) -> None:
    fill(store, "geo", "ann")
    alone = plain(store, databases=frozenset({"geo"}))

    for user in ("bob", "carl"):
        fill(store, "secret", user)
    answer(store, 1, database_id=None, feedback=-1)

    assert plain(store, databases=frozenset({"geo"})) == alone
    assert plain(store) != alone
    assert "secret" in plain(store)


def test_who_may_see_no_database_is_told_nothing(store: Store) -> None:
    empty = plain(store, databases=frozenset())

    fill(store, "geo", "ann")

    assert plain(store, databases=frozenset()) == empty


def test_an_empty_store_has_no_shares_and_no_errors(store: Store) -> None:
    numbers = utilisation(store, now=NOW, days=30)

    assert sum(numbers.statuses.now.values()) == 0
    assert (numbers.examples.share, numbers.repeats.share, numbers.thumbs.share_up) == (None, None, None)
    assert (numbers.times.to_applied.median_s, numbers.contributors.effective_users) == (None, None)
    assert (numbers.reviewing.oldest_waiting_at, numbers.uses.top) == (None, [])


def test_no_hash_of_a_user_leaves(store: Store) -> None:
    fill(store, "geo", "0123456789abcdef")

    assert "0123456789abcdef" not in plain(store)


@pytest.mark.parametrize("days", [0, -1, 731])
def test_a_window_that_cannot_be_is_refused(sqlite_store: Store, days: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 730"):
        utilisation(sqlite_store, days=days)
