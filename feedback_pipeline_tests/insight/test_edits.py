from feedback_pipeline.insight import Utilisation, utilisation
from feedback_pipeline.store import Store
from feedback_pipeline_tests.insight.stories import NOW, Step, supersede, tell

HOUR = 3_600
AT_ONCE: tuple[Step, ...] = (("submitted", 10), ("verified", 10, "ada"))


def counted(store: Store, days: int = 7) -> Utilisation:
    return utilisation(store, now=NOW, days=days)


def edited(store: Store, *original: Step, edit: tuple[Step, ...] = AT_ONCE) -> tuple[str, str]:
    """Tell of a feedback that an edit of ten hours ago took the place of; return both ids."""
    first = tell(store, *original, question="how many", sql="SELECT 1", mistake=True)
    second = tell(store, *edit, question="how many", sql="SELECT 2", mistake=True, edit_of=first)
    supersede(store, first, 10, by=second)
    return first, second


def test_an_edit_is_no_submission_but_stands_somewhere(store: Store) -> None:
    edited(store, ("submitted", 40))

    numbers = counted(store)

    assert sum(day.submitted for day in numbers.statuses.days) == 1
    assert sum(day.verified for day in numbers.statuses.days) == 1
    assert {s: n for s, n in numbers.statuses.days[-1].standing.items() if n} == {"verified": 1, "superseded": 1}
    assert set(numbers.statuses.days[0].standing.values()) == {0}


def test_an_edit_is_no_further_voice_and_no_further_mistake(store: Store) -> None:
    edited(store, ("submitted", 40))

    numbers = counted(store)

    assert (numbers.contributors.users, numbers.contributors.submissions) == (1, 1)
    assert numbers.repeats.mistakes == 1


def test_what_an_edit_taught_is_a_repetition_when_it_is_reported_again(store: Store) -> None:
    edited(store, ("submitted", 40), edit=(*AT_ONCE, ("applied", 9)))
    tell(store, ("submitted", 2), question="How many?", sql="SELECT 2", mistake=True)

    assert (counted(store).repeats.mistakes, counted(store).repeats.same_question) == (2, 1)


def test_the_edit_decides_the_original_and_has_waited_for_nothing_itself(store: Store) -> None:
    edited(store, ("submitted", 40))

    decision = counted(store).times.to_decision

    assert (decision.n, decision.median_s) == (1, 30 * HOUR)


def test_what_is_superseded_by_hand_was_not_decided(store: Store) -> None:
    supersede(store, tell(store, ("submitted", 40)), 10, by=None)

    assert counted(store).times.to_decision.n == 0


def test_the_way_into_use_begins_when_the_original_was_submitted(store: Store) -> None:
    # All that happened to the original happened before the window.
    first = tell(store, ("submitted", 100))
    second = tell(store, ("submitted", 60), ("verified", 60), ("applied", 4), edit_of=first)
    supersede(store, first, 60, by=second)

    times = counted(store, days=1).times

    assert (times.to_applied.n, times.to_applied.median_s) == (1, 96 * HOUR)
    assert times.to_decision.n == 0


def test_an_edit_of_an_edit_goes_back_to_what_was_submitted(store: Store) -> None:
    _, second = edited(store, ("submitted", 40))
    third = tell(store, ("submitted", 8), ("verified", 8), ("applied", 4), edit_of=second)
    supersede(store, second, 8, by=third)

    times = counted(store).times

    assert (times.to_applied.n, times.to_applied.median_s) == (1, 36 * HOUR)
    assert (times.to_decision.n, times.to_decision.median_s) == (1, 30 * HOUR)


def test_what_was_of_use_already_comes_into_use_once_however_often_it_is_edited(store: Store) -> None:
    edited(store, ("submitted", 40), ("verified", 38), ("applied", 37), edit=(*AT_ONCE, ("applied", 9)))

    times = counted(store).times

    assert (times.to_applied.n, times.to_applied.median_s) == (1, 3 * HOUR)
    assert (times.to_decision.n, times.to_decision.median_s) == (1, 2 * HOUR)


def test_an_edit_whose_original_was_erased_is_in_no_time(store: Store) -> None:
    tell(store, *AT_ONCE, ("applied", 9), edit_of="erased")

    times = counted(store).times

    assert (times.to_decision.n, times.to_applied.n) == (0, 0)
