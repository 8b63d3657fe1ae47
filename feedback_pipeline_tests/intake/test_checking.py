from feedback_pipeline.checking import check_and_record, checker_from
from feedback_pipeline.schemas import CHECKED_FEEDBACK
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, get_feedback, register_database, stored_submissions, submit_many
from feedback_pipeline_tests.store.samples import submission

DDL = "CREATE TABLE river (name TEXT);"


def submit(store: Store) -> list[str]:
    sqls = {"k1": "SELECT name FROM river", "k2": "SELECT FROM WHERE", "k3": "SELECT wide FROM river"}
    items = [submission(key, corrected_sql=sql, comment="größe") for key, sql in sqls.items()]
    return [item.feedback_id for item in submit_many(store, items)]


def checked_events(store: Store, feedback_id: str) -> int:
    return sum(event["event"] == "checked" for event in get_feedback(store, feedback_id)["history"])


def test_only_what_needs_it_is_checked_and_the_order_is_kept(store: Store, store_settings: Settings) -> None:
    ids = submit(store)
    checker = checker_from(store, store_settings)
    check_and_record(store, stored_submissions(store, ids[1:2]), checker)
    checked = check_and_record(store, stored_submissions(store, ids), checker)
    again = check_and_record(store, stored_submissions(store, ids), checker)
    assert checked.schema == CHECKED_FEEDBACK
    assert checked["feedback_id"].to_pylist() == ids
    assert checked["failed_check"].to_pylist() == [None, "parses", None]
    assert again.equals(checked)
    assert [checked_events(store, feedback_id) for feedback_id in ids] == [1, 1, 1]


def test_a_new_schema_means_checking_again(store: Store, store_settings: Settings) -> None:
    ids = submit(store)
    check_and_record(store, stored_submissions(store, ids), checker_from(store, store_settings))
    register_database(store, "geo", "sqlite", ddl=DDL)
    checker = checker_from(store, store_settings)
    checked = check_and_record(store, stored_submissions(store, ids), checker)
    assert checked["failed_check"].to_pylist() == [None, "parses", "names_resolve"]
    assert [checked_events(store, feedback_id) for feedback_id in ids] == [2, 2, 2]


def test_nothing_to_check(sqlite_store: Store, store_settings: Settings) -> None:
    checker = checker_from(sqlite_store, store_settings)
    nothing = stored_submissions(sqlite_store, [])
    assert check_and_record(sqlite_store, nothing, checker).equals(CHECKED_FEEDBACK.empty_table())
