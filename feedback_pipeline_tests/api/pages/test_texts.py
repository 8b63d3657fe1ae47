from datetime import UTC, datetime, timedelta

import pytest

from feedback_pipeline.api.pages.highlighting import MAX_COLOURED_CHARS, MAX_LINES, formatted, highlighted
from feedback_pipeline.api.pages.sql_diff import side_by_side
from feedback_pipeline.api.pages.texts import MAX_HIDDEN_SIGNS, MAX_SHOWN_CHARS, age, plain, visible, visible_start


@pytest.mark.parametrize(
    "sign",
    [
        "\u202e",
        "\u2066",
        "\u200b",
        "\u200d",
        "\u00ad",
        "\u2028",
        "\ufeff",
        "\u3164",
        "\U000e0041",
        "\ufe0f",
        "\r",
        "\x1b",
        "\x7f",
        "\u00a0",
    ],
)
def test_signs_that_hide_or_reorder_are_shown_as_their_code_point(sign: str) -> None:
    shown = visible(f"a{sign}b")

    assert sign not in shown
    assert f">U+{ord(sign):04X}</span>" in shown


@pytest.mark.parametrize("text", ["naïve café 10 €", "how many\n\tорders", "الطلبات", "注文", "ß → ∑"])
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_where_no_elements_can_stand_hidden_signs_are_named_in_brackets() -> None:
    assert plain("how\u202e many é") == "how[U+202E] many é"


def test_everything_is_escaped() -> None:
    assert visible("<b>\"'&\u202e") == (
        '&lt;b&gt;&#34;&#39;&amp;<span class="hidden-sign" title="RIGHT-TO-LEFT OVERRIDE">U+202E</span>'
    )


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=5, minutes=59), "5 hours"),
        (timedelta(days=45), "45 days"),
        (timedelta(days=800), "2 years"),
    ],
)
def test_ages_are_told_in_the_largest_unit_that_fits(passed: timedelta, words: str) -> None:
    assert f">{words}</time>" in age(datetime.now(UTC) - passed)


def test_sql_is_coloured_by_kind_of_token() -> None:
    [line] = highlighted("SELECT 'x<y' FROM c -- why")

    assert line == (
        '<span class="k">SELECT</span> <span class="s">&#39;x&lt;y&#39;</span> <span class="k">FROM</span> c '
        '<span class="c">-- why</span>'
    )


def test_very_long_sql_keeps_its_text_without_colour() -> None:
    sql = "SELECT 1, " * MAX_COLOURED_CHARS

    assert highlighted(sql) == [sql]


def test_changed_words_are_marked_as_deleted_and_inserted() -> None:
    [same, changed] = side_by_side("SELECT a\nFROM t WHERE x = 1", "SELECT a\nFROM t WHERE x = 2")

    assert (same.changed, same.before, same.before_number) == (False, '<span class="k">SELECT</span> a', 1)
    assert changed.before is not None
    assert changed.after is not None
    assert changed.before.endswith('x = <del><span class="m">1</span></del>')
    assert changed.after.endswith('x = <ins><span class="m">2</span></ins>')


def test_a_line_that_only_one_side_has_stands_alone() -> None:
    rows = side_by_side("SELECT a\nFROM t", "SELECT a\nFROM t\nLIMIT 1")

    assert [(row.before_number, row.after_number) for row in rows] == [(1, 1), (2, 2), (None, 3)]
    assert rows[2].before is None


def test_texts_with_nothing_in_common_are_marked_as_a_whole() -> None:
    [row] = side_by_side("SELECT count(*) FROM river", "with totals as (values (1)) table totals")

    assert row.before is not None
    assert row.before.startswith("<del>")
    assert row.before.endswith("</del>")
    assert row.before.count("<del>") == 1


def test_line_breaks_of_windows_are_no_change() -> None:
    assert not any(row.changed for row in side_by_side("SELECT 1\r\nFROM t", "SELECT 1\nFROM t"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\n" * 4_000, "a\n" * 2_000 + "b\n" * 2_000),
        (",".join(f"a{n}" for n in range(6_000)), ",".join(f"b{n}" for n in range(6_000))),
        ("'" * 40_000, '"' * 40_000),
        ("(" * 40_000, "((" * 20_000),
    ],
)
def test_comparing_long_texts_comes_to_an_end(before: str, after: str) -> None:
    started = datetime.now(UTC)

    rows = side_by_side(before, after)

    assert rows
    # Unbounded, the comparison takes minutes; the rest is room for a machine that is busy.
    assert datetime.now(UTC) - started < timedelta(seconds=10)


def test_formatting_leaves_alone_what_cannot_be_read() -> None:
    assert formatted("SELEC 1 FROM FROM", "sqlite") == "SELEC 1 FROM FROM"
    assert formatted("SELECT 1; DROP TABLE t", "sqlite") == "SELECT 1; DROP TABLE t"
    assert formatted(None, "sqlite") is None
    assert formatted("select a from t where b = 1", "sqlite") == "SELECT\n  a\nFROM t\nWHERE\n  b = 1"


def test_of_many_lines_the_first_are_shown_and_the_rest_is_counted() -> None:
    rows = side_by_side("SELECT 1" + "\n" * 49_000, "SELECT 2")
    lines = highlighted("SELECT 1" + "\n" * 49_000)

    assert (len(rows), len(lines)) == (MAX_LINES + 1, MAX_LINES + 1)
    assert rows[-1].before == lines[-1]
    assert "48,001 more characters in 48,001 lines" in lines[-1]
    assert rows[-1].after is None


@pytest.mark.parametrize("number", [MAX_LINES, MAX_LINES - 1])
def test_what_fits_is_shown_to_its_end(number: int) -> None:
    assert highlighted("\n".join("a" for _ in range(number))) == ["a"] * number


def test_hidden_signs_without_end_do_not_fill_a_page() -> None:
    sql = "SELECT '" + "\u202e\u2066" * 6_000 + "'"

    lines = highlighted(sql)
    rows = side_by_side(sql, sql)

    assert sum(map(len, lines)) < 150_000
    assert sum(len(row.before or "") + len(row.after or "") for row in rows) < 300_000
    assert lines[0].count("hidden-sign") == MAX_HIDDEN_SIGNS
    assert "11,001 more characters" in lines[-1]


@pytest.mark.parametrize("text", ["a" * 100_000, "\u202e" * 100_000])
def test_very_long_texts_are_shown_to_where_nobody_reads_on(text: str) -> None:
    shown = visible_start(text)

    assert len(shown) < 150_000
    assert "more characters, not shown here" in shown
    assert visible_start("a" * MAX_SHOWN_CHARS) == "a" * MAX_SHOWN_CHARS
