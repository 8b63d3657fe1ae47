"""Versions of the reranker's dataset: shared files, remembered splits, and rows taken out again."""

from pathlib import Path

import pytest

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.content.kind import RERANKER
from feedback_pipeline.finetune.content.reranker_rows import dropped_interactions
from feedback_pipeline.finetune.content.rows import SPLITS
from feedback_pipeline.finetune.publishing import version
from feedback_pipeline.finetune.publishing.leakage import leakage_of_release, measure_query_leakage
from feedback_pipeline.finetune.publishing.release import LeakageError, Surroundings, publish_release
from feedback_pipeline.finetune.publishing.revocation import leftover_rows, revoke_rows, versions_with
from feedback_pipeline.finetune.reading.opened import open_release
from feedback_pipeline.finetune.reading.verify import check_release
from feedback_pipeline_tests.finetune.samples import POLICY as SQL_POLICY
from feedback_pipeline_tests.finetune.samples import examples
from feedback_pipeline_tests.reranker.samples import POLICY, dropped, publish, queries, query

ROWS = [query(number, 1 + number % 2, 1 + number % 3) for number in range(60)]


@pytest.fixture
def catalog(tmp_path: Path) -> ReleaseCatalog:
    return ReleaseCatalog(str(tmp_path))


def splits(catalog: ReleaseCatalog, release: Release) -> dict[str, str]:
    record = catalog.record_of(release)
    here = record.select(record.present)
    return {row: SPLITS[split] for row, split in zip(here.row_ids, here.splits, strict=True)}


def row_ids(release: Release) -> set[str]:
    opened = open_release(release.path)
    return {one for config in opened.configs for one in opened.to_arrow(config)["row_id"].to_pylist()}


def test_unchanged_rows_publish_nothing_in_whatever_order_they_come(tmp_path: Path, catalog: ReleaseCatalog) -> None:
    first = publish(tmp_path, ROWS)

    again = publish_release(catalog, "reranker", queries(ROWS[::-1]), POLICY, kind=RERANKER)

    assert (again.published, again.release) == (False, first)


def test_two_empty_roots_get_the_same_bytes(tmp_path: Path) -> None:
    folders = [Path(publish(tmp_path / name, ROWS).path) for name in ("one", "two")]

    one, two = ({str(p.relative_to(f)): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in folders)

    assert one == two
    assert "prompts.json" not in one


def test_a_release_is_whole_and_its_digest_is_that_of_its_rows(tmp_path: Path) -> None:
    release = publish(tmp_path, ROWS, surroundings=Surroundings(leakage_of=measure_query_leakage))

    report = check_release(release.path)

    assert (report.whole, report.digest_checked) == (True, True)
    assert release.manifest["kind"] == "reranker"
    assert set(release.manifest["configs"]) == {config.name for config in RERANKER.configs}
    assert leakage_of_release(release).is_zero


def test_a_dataset_without_any_triplet_has_no_such_config(tmp_path: Path) -> None:
    release = publish(tmp_path, [query(number, 1, 0) for number in range(5)])

    assert set(release.manifest["configs"]) == {"default", "labeled_pair", "listwise"}
    assert check_release(release.path).whole


def test_files_of_shards_that_did_not_change_are_shared(
    tmp_path: Path, catalog: ReleaseCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(RERANKER), "shard_rows", 8)
    publish(tmp_path, ROWS)
    changed = [{**ROWS[0], "positive_weights": [0.75]}, *ROWS[1:]]

    result = publish_release(catalog, "reranker", queries(changed), POLICY, kind=RERANKER)

    assert result.release is not None
    assert result.release.manifest["changes"] == {"added": 0, "removed": 0, "changed": 1, "moved": 0}
    written = [file for file in result.release.manifest["files"] if file.get("config") == "default"]
    assert max(file["rows"] for file in written) == 8
    size = sum(file["bytes"] for file in written)
    assert result.reused_bytes > size / 2


def test_a_row_stays_in_its_split_and_so_does_its_query_when_it_comes_back(
    tmp_path: Path, catalog: ReleaseCatalog
) -> None:
    before = splits(catalog, publish(tmp_path, ROWS))
    held_out = next(row for row in ROWS if before[row["row_id"]] == "test")
    publish(tmp_path, [row for row in ROWS if row is not held_out])
    elsewhere = {**held_out, "row_id": f"{999:016x}", "cluster_id": f"{999:016x}", "source": "another"}

    after = splits(catalog, publish(tmp_path, [*(row for row in ROWS if row is not held_out), elsewhere]))

    assert after[elsewhere["row_id"]] == "test"
    assert {row: after[row] for row in after if row in before} == {row: before[row] for row in after if row in before}


def test_near_duplicates_that_are_not_of_one_cluster_stop_the_release(tmp_path: Path, catalog: ReleaseCatalog) -> None:
    words = "what are the rules on travel by train to the north this summer"
    rows = [query(number, query=f"{words}{'?' * number}") for number in range(30)]

    with pytest.raises(LeakageError, match="Run 'reranker_triplets' again"):
        publish(tmp_path, rows, surroundings=Surroundings(leakage_of=measure_query_leakage))

    assert catalog.names() == []


def test_a_name_belongs_to_one_kind(tmp_path: Path, catalog: ReleaseCatalog) -> None:
    publish(tmp_path, ROWS)

    with pytest.raises(ValueError, match="reranker is of the kind reranker, not text2sql"):
        publish_release(catalog, "reranker", examples(3), SQL_POLICY)


def test_rows_that_rest_on_an_erased_interaction_leave_every_config(tmp_path: Path, catalog: ReleaseCatalog) -> None:
    around = Surroundings(dropped_earlier=dropped_interactions(dropped((31, 1, "tone"), (32, 1, "tone"))))
    first = publish(tmp_path, ROWS, surroundings=around)
    before = splits(catalog, first)

    assert versions_with(catalog, "reranker", {"31"}) == [1]
    done = revoke_rows(catalog, "reranker", {"31", "f-uuid"}, "erasure")

    newest = catalog.find("reranker")
    gone = f"{3:016x}"
    assert (done.rows, done.published, done.revoked) == (1, 2, [1])
    assert row_ids(newest) == {row["row_id"] for row in ROWS} - {gone}
    assert splits(catalog, newest) == {row: split for row, split in before.items() if row != gone}
    assert newest.manifest["dropped"] == {"reranker_triplets: tone": 1}
    assert leftover_rows(catalog, {"31"}) == 0
    assert check_release(newest.path).whole
    assert not list(Path(first.path).rglob("*.parquet"))


def test_what_remains_is_the_version_that_would_have_been_released_without_the_rows(
    tmp_path: Path, catalog: ReleaseCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Many small shards in the order of arrival, so that the rows are not read in the order of their ids.
    monkeypatch.setitem(vars(RERANKER), "shard_rows", 4)
    publish(tmp_path, ROWS[30:])
    publish(tmp_path, ROWS)
    erased = {one for row in ROWS[::3] for one in row["interaction_ids"]}

    revoke_rows(catalog, "reranker", erased, "erasure")

    released = catalog.find("reranker")
    assert check_release(released.path).whole
    told = open_release(released.path).to_arrow("default").drop_columns(["split"]).sort_by("row_id")
    assert told.equals(queries(row for n, row in enumerate(ROWS) if n % 3))
    kept = publish_release(
        catalog, "reranker", queries(row for n, row in enumerate(ROWS) if n % 3), POLICY, kind=RERANKER
    )
    assert kept.published is False


def test_where_too_much_would_be_held_all_is_laid_out_anew(
    tmp_path: Path, catalog: ReleaseCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(RERANKER), "shard_rows", 8)
    monkeypatch.setattr(version, "MOST_ROWS_HELD", 1)
    publish(tmp_path, ROWS[30:])

    release = publish(tmp_path, ROWS)

    assert check_release(release.path).whole
    assert open_release(release.path).to_arrow("default", "train")["row_id"].to_pylist() == sorted(
        row for row, split in splits(catalog, release).items() if split == "train"
    )


def test_a_row_with_a_passage_of_100_kilobytes_is_released(tmp_path: Path) -> None:
    long = query(1, ["word " * 20_000], 1)

    release = publish(tmp_path, [long, *ROWS[2:]])

    [row] = [
        one for one in open_release(release.path).to_arrow("triplet").to_pylist() if one["row_id"] == long["row_id"]
    ]
    assert row["positive"] == long["positives"][0]
