from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, get_feedback, list_feedback, status_after
from feedback_pipeline_tests.store.running import start

WRITE = """
from feedback_pipeline.settings import get_settings
from feedback_pipeline.store import CheckRecord, Submission, decide, open_store, record_checks, submit_many
store = open_store(get_settings())
for batch in range(10_000):
    items = [Submission("geo", f"question {batch}/{n}", client_key=f"{batch}/{n}") for n in range(50)]
    ids = [item.feedback_id for item in submit_many(store, items)]
    print(batch, flush=True)
    record_checks(store, [CheckRecord(i, {}, "v1", True) for i in ids])
    decide(store, ids[::2], "verified", actor="ada")
"""


def test_a_killed_writer_loses_no_committed_batch(store: Store, store_settings: Settings) -> None:
    writer = start(WRITE, store_settings)
    assert writer.stdout
    committed = [int(writer.stdout.readline()) for _ in range(8)]
    writer.kill()
    rest, _ = writer.communicate(timeout=30)
    committed += [int(line) for line in rest.split()]

    stored = list_feedback(store)

    batches = [int(row["client_key"].split("/")[0]) for row in stored]
    assert set(committed) <= set(batches)
    assert all(batches.count(batch) == 50 for batch in set(batches))
    for row in stored:
        history = get_feedback(store, row["feedback_id"])["history"]
        assert row["status"] == status_after(event["event"] for event in history)
        assert [event["event"] for event in history].count("submitted") == 1
