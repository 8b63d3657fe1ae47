import pytest

from feedback_pipeline.intake.mapping import CORRECTION_FIELDS, ColumnMapping, MappingError, parse_mapping


def test_texts_become_a_mapping() -> None:
    assert parse_mapping(["a=rating, b = comment", "c=user_id"]) == {"rating": "a", "comment": "b", "user_id": "c"}


@pytest.mark.parametrize("text", ["a", "a=", "=rating", "a=rating,", "a=rating,b=rating"])
def test_texts_that_are_no_mapping_are_refused(text: str) -> None:
    with pytest.raises(MappingError):
        parse_mapping([text])


def test_an_unknown_field_is_refused_with_close_matches() -> None:
    with pytest.raises(MappingError, match=r"Did you mean corrected_sql.*Fields are: client_key"):
        ColumnMapping(CORRECTION_FIELDS, {"correct_sql": "x"})


def test_aliases_fill_in_where_our_name_is_absent() -> None:
    columns = ColumnMapping(CORRECTION_FIELDS)
    assert columns.apply({"id": 1, "db_id": "d", "question": "q", "query": "s"}) == {
        "client_key": 1,
        "database_id": "d",
        "natural_query": "q",
        "corrected_sql": "s",
    }
    assert columns.apply({"id": 1, "client_key": 2}) == {"client_key": 2}
    assert columns.ignored == {"id"}


def test_an_explicit_mapping_wins_over_alias_and_name() -> None:
    columns = ColumnMapping(CORRECTION_FIELDS, {"user_id": "id", "comment": "note"})
    assert columns.apply({"id": 1, "note": "n", "comment": "c"}) == {"user_id": 1, "comment": "n"}
    assert columns.ignored == {"comment"}


def test_a_mapped_column_that_never_comes_is_remembered() -> None:
    columns = ColumnMapping(CORRECTION_FIELDS, {"user_id": "who", "comment": "note"})
    columns.apply({"who": 1})
    assert columns.missing == ["note"]
