"""Dictionaries of values as they are published: whole, determined by content, gone when nothing needs them."""

from pathlib import Path

import pytest

from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.dictionaries import Dictionaries, DictionaryNotFoundError
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline.example_index.removal import remove_for_good, take_out
from feedback_pipeline.masking.masker import QuestionMasker
from feedback_pipeline_tests.encoders import TinyEncoder
from feedback_pipeline_tests.example_index.samples import Example, embedded
from feedback_pipeline_tests.masking.samples import FLIGHTS, learned

SAMPLE = (("Ulm", "flight.origin"),)
QUESTIONS: list[Example] = [
    ("air", "flights from Zanzibar", "SELECT id FROM flight WHERE origin = 'Zanzibar'"),
    ("air", "flights from Bonn", "SELECT id FROM flight WHERE origin = 'Bonn'"),
]


def put(root: Path, *examples: Example) -> IndexCatalog:
    catalog, encoder = IndexCatalog(str(root)), TinyEncoder(str(root))
    publish(catalog, with_values(embedded(encoder, *examples)), encoder.fingerprint, samples={"air": SAMPLE})
    return catalog


def with_values(table):
    from feedback_pipeline.curation.sql_values import sql_values
    from feedback_pipeline.masking.examples import as_column

    literals = as_column([sql_values(sql, "sqlite") for sql in table["sql"].to_pylist()])
    return table.set_column(table.column_names.index("values"), "values", literals).cast(table.schema)


def live_dictionary(catalog: IndexCatalog) -> set[str]:
    live = catalog.live()
    assert live is not None
    stored = Dictionaries(catalog.root)
    return set(stored.read(stored.keys(live.values_digest)["air"]).values)


def test_a_dictionary_read_again_masks_as_before(tmp_path: Path):
    dictionary, stored = learned(*FLIGHTS, sample=SAMPLE), Dictionaries(str(tmp_path))
    stored.write("key", dictionary, SAMPLE)

    again = stored.read("key")

    for question in ("from boston to Denver after 700", "flight 12 to Ulm", "York", "tom"):
        assert QuestionMasker(again).mask(question) == QuestionMasker(dictionary).mask(question)
    assert list(stored.read_sample("key")) == list(SAMPLE)


def test_the_same_dictionary_is_the_same_bytes(tmp_path: Path):
    stored = Dictionaries(str(tmp_path))
    stored.write("one", learned(*FLIGHTS, sample=SAMPLE), SAMPLE)
    stored.write("other", learned(*reversed(FLIGHTS), sample=SAMPLE), SAMPLE)

    folder = tmp_path / "index" / "values"
    assert (folder / "one.arrow").read_bytes() == (folder / "other.arrow").read_bytes()


@pytest.mark.parametrize("damage", [b"", b"broken", None], ids=["emptied", "overwritten", "missing"])
def test_a_damaged_dictionary_is_named_with_the_way_out(tmp_path: Path, damage: bytes | None):
    stored, path = Dictionaries(str(tmp_path)), tmp_path / "index" / "values" / "key.arrow"
    stored.write("key", learned(*FLIGHTS), ())
    path.unlink() if damage is None else path.write_bytes(damage)

    with pytest.raises(DictionaryNotFoundError, match=r"key\.arrow is missing or damaged.*feedback-pipeline run"):
        stored.read("key")


def test_publishing_teaches_the_dictionary_from_what_is_published(tmp_path: Path):
    assert live_dictionary(put(tmp_path, *QUESTIONS)) == {"zanzibar", "bonn", "ulm"}


def test_taking_an_example_out_takes_its_values_out(tmp_path: Path):
    catalog = put(tmp_path, *QUESTIONS)

    take_out(catalog, {"f-flights from Zanzibar"})

    assert live_dictionary(catalog) == {"bonn", "ulm"}


def test_removing_for_good_leaves_the_value_in_no_file(tmp_path: Path):
    catalog = put(tmp_path, *QUESTIONS)

    remove_for_good(catalog, {"f-flights from Zanzibar"}, "asked for")

    holding = [path for path in tmp_path.rglob("*") if path.is_file() and b"zanzibar" in path.read_bytes().lower()]
    assert holding == []
    assert live_dictionary(catalog) == {"bonn", "ulm"}


def overwrite_dictionaries(root: Path) -> None:
    for path in (root / "index" / "values").glob("*.arrow"):
        path.write_bytes(b"broken")


def test_taking_out_does_not_hang_on_damaged_dictionaries(tmp_path: Path):
    catalog = put(tmp_path, *QUESTIONS, ("sea", "ships of Bonn", "SELECT id FROM ship"))
    overwrite_dictionaries(tmp_path)

    taken = take_out(catalog, {"f-flights from Zanzibar"})

    assert taken is not None
    assert taken.removed == 1
    assert live_dictionary(catalog) == {"bonn"}


def test_publishing_again_mends_a_damaged_dictionary(tmp_path: Path):
    catalog = put(tmp_path, *QUESTIONS)
    overwrite_dictionaries(tmp_path)

    put(tmp_path, *QUESTIONS)

    assert live_dictionary(catalog) == {"zanzibar", "bonn", "ulm"}
