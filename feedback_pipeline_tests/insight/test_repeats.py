from datetime import date

from feedback_pipeline.insight import utilisation
from feedback_pipeline.insight.repeats import RepeatRate
from feedback_pipeline.store import Store
from feedback_pipeline_tests.insight.stories import NOW, tell

TAUGHT = (("submitted", 90), ("verified", 80), ("applied", 70))
SQL = "SELECT COUNT(*) FROM river"


def counted(store: Store, days: int = 7) -> RepeatRate:
    return utilisation(store, now=NOW, days=days).repeats


def kinds(rate: RepeatRate) -> tuple[int, int, int]:
    return rate.mistakes, rate.same_question, rate.other_wording


def test_a_mistake_that_was_taught_for_the_same_question_is_repeated(store: Store) -> None:
    tell(store, *TAUGHT, question="How many rivers?", sql=SQL, mistake=True)
    tell(store, ("submitted", 5), question="how many  RIVERS", sql=SQL, mistake=True)

    rate = counted(store)

    assert kinds(rate) == (2, 1, 0)
    assert (rate.repeated, rate.share) == (1, 0.5)


def test_a_mistake_that_was_taught_in_other_words_counts_apart(store: Store) -> None:
    tell(store, *TAUGHT, question="how many rivers", sql=SQL)
    tell(store, ("submitted", 5), question="number of rivers", sql=SQL, mistake=True)

    assert kinds(counted(store)) == (1, 0, 1)


def test_another_query_with_the_same_rows_is_the_same_answer_to_the_same_question_only(store: Store) -> None:
    tell(store, *TAUGHT, question="how many rivers", sql=SQL, digest="d")
    tell(
        store,
        ("submitted", 5),
        question="how many rivers",
        sql="SELECT COUNT(name) FROM river",
        digest="d",
        mistake=True,
    )
    tell(store, ("submitted", 5), question="how many lakes", sql="SELECT COUNT(*) FROM lake", digest="d", mistake=True)

    assert kinds(counted(store)) == (2, 1, 0)


def test_another_answer_or_another_database_is_a_new_mistake(store: Store) -> None:
    tell(store, *TAUGHT, question="how many rivers", sql=SQL)
    tell(store, ("submitted", 5), question="how many rivers", sql="SELECT 1", mistake=True)
    tell(store, ("submitted", 5), question="how many rivers", sql=SQL, mistake=True, database_id="other")

    assert kinds(counted(store)) == (2, 0, 0)


def test_what_was_not_yet_or_no_longer_applied_had_not_been_taught(store: Store) -> None:
    tell(store, ("submitted", 50), ("verified", 40), ("applied", 30), ("set_aside", 20), ("applied", 10), sql=SQL)
    at = {hours: tell(store, ("submitted", hours), sql=SQL, mistake=True) for hours in (35, 25, 15, 5)}

    rate = counted(store)

    assert len(at) == rate.mistakes
    assert rate.same_question == 2  # those of 25 and 5 hours ago


def test_overlapping_times_in_use_count_once_and_a_gap_between_them_not(store: Store) -> None:
    tell(store, ("submitted", 50), ("verified", 49), ("applied", 40), ("rejected", 20), sql=SQL)
    tell(store, ("submitted", 50), ("verified", 49), ("applied", 30), ("stale", 25), sql=SQL)
    tell(store, ("submitted", 50), ("verified", 49), ("applied", 10), sql=SQL)
    for hours in (22, 15, 5):
        tell(store, ("submitted", hours), sql=SQL, mistake=True)

    assert kinds(counted(store)) == (3, 2, 0)


def test_what_shows_no_mistake_of_the_model_is_not_counted(store: Store) -> None:
    tell(store, *TAUGHT, sql=SQL)
    tell(store, ("submitted", 5), sql=SQL)
    tell(store, ("submitted", 5), mistake=False)

    rate = counted(store)

    assert (rate.mistakes, rate.share) == (0, None)


def test_mistakes_count_in_the_week_they_were_submitted_in(store: Store) -> None:
    tell(store, *TAUGHT, sql=SQL, mistake=True)
    tell(store, ("submitted", 64), sql=SQL, mistake=True)
    tell(store, ("submitted", 62), sql=SQL, mistake=True)

    weeks = counted(store, days=10).weeks

    assert [(week.week, week.mistakes, week.repeated) for week in weeks] == [
        (date(2026, 3, 9), 2, 1),
        (date(2026, 3, 16), 1, 1),
    ]
