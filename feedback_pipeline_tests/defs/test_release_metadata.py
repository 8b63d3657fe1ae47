"""What a person sees of a release in Dagster, and that it is true."""

import base64
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import dagster as dg
import pyarrow as pa
import pytest

from feedback_pipeline.curation.deduplication import deduplicate
from feedback_pipeline.defs.column_lineage import LINEAGE, RENDERED_FROM, dataset_columns
from feedback_pipeline.defs.quotes import Quotes
from feedback_pipeline.defs.release_metadata import release_metadata
from feedback_pipeline.defs.training import finetune_dataset
from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.finetune.content.configs import CONFIGS
from feedback_pipeline.finetune.content.kind import RERANKER
from feedback_pipeline.finetune.content.prompts import DatabaseFacts, Prompts, read_templates
from feedback_pipeline.finetune.content.rows import DATASET_ROWS, as_dataset_rows
from feedback_pipeline.finetune.content.schema_text import SchemaText
from feedback_pipeline.finetune.publishing.release import ReleaseResult
from feedback_pipeline.finetune.publishing.retention import prune
from feedback_pipeline.schemas import RERANKER_QUERIES, STAGES, VERIFIED_FEEDBACK
from feedback_pipeline.store import UserTexts
from feedback_pipeline_tests.curation.samples import verified, verified_frame
from feedback_pipeline_tests.defs.pipeline import Pipeline
from feedback_pipeline_tests.finetune.versions import example, publish
from feedback_pipeline_tests.reranker.samples import publish as publish_queries
from feedback_pipeline_tests.reranker.samples import query

PLOTS = {"plot_growth", "plot_difficulty", "plot_databases", "plot_evidence", "plot_constructs"}


@pytest.fixture
def catalog(tmp_path: Path) -> ReleaseCatalog:
    """Two versions: of three rows one leaves, one changes, and one comes."""
    publish(tmp_path, [example(1), example(2), example(3)])
    publish(tmp_path, [example(2), example(3, evidence="executed"), example(4, natural_query="How many | rivers?")])
    return ReleaseCatalog(str(tmp_path))


def metadata_of(catalog: ReleaseCatalog, *, published: bool = True) -> dict[str, Any]:
    return release_metadata(catalog, ReleaseResult(catalog.latest("text2sql"), published, 123))


def test_the_nightly_run_shows_the_release(samples: Pipeline) -> None:
    row = samples.stage("deduped_feedback").to_pylist()[0]
    samples.decide(row["feedback_ids"], "rejected")

    samples.run()

    event = dg.DagsterInstance.get().get_latest_materialization_event(dg.AssetKey("finetune_dataset"))
    assert event is not None
    assert event.asset_materialization is not None
    metadata: dict[str, Any] = dict(event.asset_materialization.metadata)
    release = samples.latest()
    assert metadata["dagster/row_count"].value == sum(release.rows.values())
    assert metadata["rows_per_config"].value["sft"] == release.manifest["configs"]["sft"]["rows"]
    assert metadata["dropped"].value == release.manifest["dropped"]
    assert metadata["changes"].value == release.manifest["changes"]
    assert metadata["reused_bytes"].value > 0
    assert f"| {row['example_id']} |" in metadata["changed_rows"].value
    assert metadata["card"].value.startswith("# text2sql v2\n")
    assert metadata.keys() >= PLOTS


def test_rows_that_differ_are_shown_with_the_command_that_tells_all(catalog: ReleaseCatalog) -> None:
    metadata = metadata_of(catalog)

    head, _, *rows = metadata["changed_rows"].value.split("\n")
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|"))] for row in rows]
    assert re.findall(r"\w+", head) == ["change", "row_id", "split", "database_id", "natural_query", "sql", "columns"]
    assert [(cell[0], cell[1], cell[4]) for cell in cells] == [
        ("added", f"{4:016x}", "How many \\| rivers?"),
        ("removed", f"{1:016x}", "Question 1?"),
        ("changed", f"{3:016x}", "Question 3?"),
    ]
    assert cells[2][6] == "evidence"
    assert "`feedback-pipeline dataset diff text2sql v1 v2`" in metadata["changes_command"].value


def test_erasing_a_user_finds_the_rows_that_are_shown(catalog: ReleaseCatalog) -> None:
    shown = metadata_of(catalog)["changed_rows"]
    asset = dg.AssetMaterialization("finetune_dataset", metadata={"changed_rows": shown})

    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(asset)
        [record] = instance.fetch_materializations(dg.AssetKey("finetune_dataset"), limit=1).records
        found = Quotes(_subject(f"{4:016x}")).found_in(record.event_log_entry)
        strangers = Quotes(_subject("f" * 16)).found_in(record.event_log_entry)

    assert (found, strangers) == (True, False)


def test_where_nothing_was_published_the_latest_version_is_shown(catalog: ReleaseCatalog) -> None:
    metadata = metadata_of(catalog, published=False)

    assert (metadata["published"], metadata["version"]) == (False, "v2")
    assert metadata.keys() >= PLOTS


def test_before_the_first_version_there_is_little_to_show(tmp_path: Path) -> None:
    result = ReleaseResult(None, published=False)

    assert release_metadata(ReleaseCatalog(str(tmp_path)), result) == {"dagster/row_count": 0, "published": False}


def test_a_first_version_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    publish(tmp_path, [example(1)])

    metadata = metadata_of(ReleaseCatalog(str(tmp_path)))

    assert metadata["changes"].value == {"added": 1, "removed": 0, "changed": 0, "moved": 0}
    assert "changed_rows" not in metadata


def test_a_version_whose_parent_is_gone_is_shown_without_examples(catalog: ReleaseCatalog) -> None:
    prune(catalog, "text2sql", 1)

    metadata = metadata_of(catalog)

    assert metadata["changes"].value["removed"] == 1
    assert "changed_rows" not in metadata


def test_a_damaged_parent_does_not_fail_what_has_been_published(catalog: ReleaseCatalog) -> None:
    Path(catalog.look_up("text2sql@v1").path, "rows.parquet").write_bytes(b"")

    assert "rows.parquet is missing or damaged" in metadata_of(catalog)["changed_rows"].value


def test_pictures_are_small_and_drawn(catalog: ReleaseCatalog) -> None:
    metadata = metadata_of(catalog)

    for name in PLOTS:
        found = re.search(r"!\[.+\]\(data:image/svg\+xml;base64,(.+)\)", metadata[name].value)
        assert found is not None
        drawn = base64.b64decode(found[1])
        assert ElementTree.fromstring(drawn).tag.endswith("svg")
        assert len(drawn) < 50_000


def test_the_card_is_shown_without_its_head_for_machines(catalog: ReleaseCatalog) -> None:
    card = metadata_of(catalog)["card"].value

    assert card.startswith("# text2sql v2\n")
    assert "data_files" not in card


def test_columns_say_in_words_where_they_come_from(catalog: ReleaseCatalog) -> None:
    schema = metadata_of(catalog)["dagster/column_schema"]

    said = {column.name: column.description for column in schema.columns}
    assert said["row_id"] == "From deduped_feedback.example_id."
    assert said["sft.messages"] == "Rendered from natural_query, database_id, sql of the config default."
    assert all(said.values())


def test_a_missed_night_is_a_warning_and_two_are_a_failure() -> None:
    [spec] = finetune_dataset.specs

    assert spec.freshness_policy == dg.FreshnessPolicy.time_window(timedelta(hours=49), timedelta(hours=25))


def test_the_lineage_names_the_columns_there_are() -> None:
    schemas = {name: schema.names for name, schema in STAGES.items() if schema is not None}
    schemas["reranker_triplets"] = RERANKER_QUERIES.names

    for asset, columns in LINEAGE.items():
        for origins in columns.values():
            for origin in origins:
                upstream, name = origin.split(".")
                assert name in schemas[upstream], f"{asset}: {origin}"
    assert set(LINEAGE["verified_feedback"]) == set(schemas["verified_feedback"])
    assert set(LINEAGE["deduped_feedback"]) == set(schemas["deduped_feedback"])
    assert set(LINEAGE["finetune_dataset"]) == {column.name for column in dataset_columns().columns}
    assert set(LINEAGE["reranker_dataset"]) == {column.name for column in dataset_columns(RERANKER).columns}


def test_a_release_of_the_reranker_is_shown_without_the_words_of_queries(tmp_path: Path) -> None:
    publish_queries(tmp_path, [query(number) for number in range(10)])
    publish_queries(tmp_path, [query(number) for number in range(1, 12)])
    catalog = ReleaseCatalog(str(tmp_path))

    metadata = release_metadata(catalog, ReleaseResult(catalog.latest("reranker"), published=True))

    shown = metadata["changed_rows"].value
    assert re.findall(r"\w+", shown.split("\n")[0]) == ["change", "row_id", "split", "source", "columns"]
    assert shown.count("\n") == 4
    assert "What about" not in shown
    assert metadata["rows_per_config"].value.keys() == {"default", "triplet", "labeled_pair", "listwise"}
    assert metadata.keys() >= {"plot_growth", "plot_sources", "plot_sides", "plot_labels"}
    assert metadata["card"].value.startswith("# reranker v2\n")
    said = {column.name: column.description for column in metadata["dagster/column_schema"].columns}
    assert said["positives"] == "From reranker_triplets.positives."
    assert said["triplet.anchor"] == "Rendered from query of the config default."
    assert set(metadata["dagster/column_lineage"].deps_by_column) == set(LINEAGE["reranker_dataset"])


@pytest.mark.parametrize("config", [config for config in CONFIGS if config.name != "default"], ids=lambda one: one.name)
def test_a_training_column_changes_with_the_columns_its_lineage_names_and_no_others(config: Any) -> None:
    """What decides which rows there are is another test's."""
    columns = [name for name in config.schema.names if name not in CONFIGS[0].schema.names]
    as_it_is = config.render(_rows(_ROW), _PROMPTS)

    made_of: dict[str, set[str]] = {name: set() for name in columns}
    for changed, value in _OTHER_VALUES.items():
        rendered = config.render(_rows({**_ROW, changed: value}), _PROMPTS)
        for name in columns:
            if rendered[name].to_pylist() != as_it_is[name].to_pylist():
                made_of[name].add(changed)

    told = {name: set(RENDERED_FROM[f"{config.name}.{name}"]) for name in columns if name != "label"}
    assert {name: made_of[name] for name in told} == told


@pytest.mark.parametrize(
    ("changes", "labels"),
    [({}, [True, False, False]), ({"wrong_sql": []}, [True, False]), ({"rated_down": []}, [True, False])],
)
def test_labels_come_from_the_columns_their_lineage_names(changes: dict[str, Any], labels: list[bool]) -> None:
    [kto] = [config for config in CONFIGS if config.name == "kto"]

    rendered = kto.render(_rows({**_ROW, "wrong_differences": [], **changes}), _PROMPTS)

    assert rendered["label"].to_pylist() == labels
    assert changes.keys() <= set(RENDERED_FROM["kto.label"])


def test_an_example_changes_with_the_columns_its_lineage_names() -> None:
    """Two of one cluster; what is changed of the first must be named as the origin of all that changes with it."""
    first, second = verified(1, sql="SELECT a"), verified(2, sql="SELECT b", sql_skeleton="SELECT a")
    as_it_is = _deduplicated(first, second)

    for changed, value in {
        "database_id": "geo",
        "natural_query": "another wording",
        "canonical_question": "quite another question",
        "sql": "SELECT  a",
        "canonical_sql": "SELECT a, a",
        "sql_skeleton": "SELECT ?",
        "source": "rating",
        "schema_fingerprint": "s2",
        "evidence": "executed",
        "feedback_id": "f99999",
    }.items():
        rows = _deduplicated({**first, changed: value}, second)
        differ = {name for name in as_it_is if rows[name] != as_it_is[name]}
        told = {
            name for name, origins in LINEAGE["deduped_feedback"].items() if f"verified_feedback.{changed}" in origins
        }
        assert differ <= told, changed


_ROW: dict[str, Any] = {
    "row_id": "1" * 16,
    "database_id": "shop",
    "natural_query": "How many?",
    "sql": "SELECT 1",
    "generated_sql": "SELECT 2",
    "results_differ": True,
    "difference": "1 row, not 2",
    "wrong_sql": ["SELECT 2"],
    "wrong_differences": ["1 row, not 2"],
    "rated_down": ["SELECT 3"],
    "rated_in": ["7"],
    "weight": 1.0,
    "contributors": 1,
    "feedback_ids": ["f1"],
    "cluster_id": "c1",
    "source": "import",
    "verified_at": 0,
    "schema_fingerprint": None,
    "evidence": "parsed",
    "sql_skeleton": "SELECT ?",
}
_OTHER_VALUES: dict[str, Any] = {
    "row_id": "2" * 16,
    "database_id": "geo",
    "natural_query": "How much?",
    "sql": "SELECT 9",
    "generated_sql": "SELECT 8",
    "difference": "an error",
    "wrong_sql": ["SELECT 8"],
    "wrong_differences": ["an error"],
    "rated_down": ["SELECT 7"],
    "rated_in": ["8"],
    "weight": 2.0,
    "contributors": 2,
    "feedback_ids": ["f2"],
    "cluster_id": "c2",
    "source": "rating",
    "verified_at": 1,
    "schema_fingerprint": "s",
    "evidence": "executed",
    "sql_skeleton": "SELECT",
}
_PROMPTS = Prompts(
    read_templates(),
    {name: DatabaseFacts("sqlite", SchemaText({name: {"id": "INT"}}, 500)) for name in ("shop", "geo")},
)


def _rows(row: dict[str, Any]) -> pa.Table:
    return as_dataset_rows(pa.Table.from_pylist([row], DATASET_ROWS))


def _deduplicated(*rows: dict[str, Any]) -> dict[str, list[Any]]:
    plain = [{name: row.get(name) for name in VERIFIED_FEEDBACK.names} for row in rows]
    return deduplicate(verified_frame(plain)).kept.to_pydict()


def _subject(example_id: str) -> Subject:
    return Subject("u", set(), set(), {example_id}, UserTexts(), str)
