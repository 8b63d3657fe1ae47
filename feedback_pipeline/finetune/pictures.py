"""Plots of a dataset over its versions: how it has grown, and what it is made of. All from the manifests."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from feedback_pipeline.finetune.catalog import Release
from feedback_pipeline.finetune.content.difficulty import DIFFICULTIES
from feedback_pipeline.finetune.content.kind import RERANKER, TEXT2SQL, kind_of
from feedback_pipeline.finetune.content.rows import SPLITS
from feedback_pipeline.insight.plots import NARROW, WIDE, Series, amounts, fractions, lines, stacked_bars
from feedback_pipeline.insight.plots.figure import Cell, Figure, Table, legend_of
from feedback_pipeline.insight.words import percent
from feedback_pipeline.schemas import EVIDENCE_LEVELS

MOST_VERSIONS = 50
"""The newest of so many are shown."""

_NAMED_DATABASES = 5
_NAMED_CONSTRUCTS = 6
_OTHERS = "others"
_SHARE_DIGITS = 9
_MOST_LETTERS = 11
"""Of a name in the legend: six of them stand side by side."""
_NOTHING = "No version says what it is made of."


def figures(releases: Sequence[Release]) -> dict[str, Figure]:
    """Return the plots of a dataset by name.

    Args:
        releases: all its versions in order, revoked ones too; those before format 2 only tell how many rows they have.
    """
    shown = releases[-MOST_VERSIONS:]
    kind = kind_of(shown[-1].manifest if shown else {})
    made = [draw(shown) for draw in _DRAWN[kind.name]]
    return {figure.name: figure for figure in made}


def _growth(releases: Sequence[Release]) -> Figure:
    series = [Series(split, [one.rows.get(split, 0) for one in releases], n) for n, split in enumerate(SPLITS, start=1)]
    series = [one for one in series if any(one.values)]
    labels, totals = _labels(releases), [sum(one.rows.values()) for one in releases]
    charts = [stacked_bars(labels, series, amounts(max(totals)), size) for size in (WIDE, NARROW)] if series else []
    rows = [(label, *(int(one.values[n] or 0) for one in series)) for n, label in enumerate(labels)]
    return Figure(
        name="growth",
        title="Rows of each version",
        description="How many rows each version has, by split.",
        nothing="No version has any rows.",
        legend=legend_of(series),
        charts=tuple(charts),
        table=Table(("version", *(one.name for one in series)), rows[::-1]),
    )


def _difficulty(releases: Sequence[Release]) -> Figure:
    shares = [_shares(one, "by_difficulty") for one in releases]
    return _stacked(
        "difficulty", "Difficulty", "Share of rows by difficulty of the query.", releases, shares, DIFFICULTIES
    )


def _evidence(releases: Sequence[Release]) -> Figure:
    shares = [_shares(one, "by_evidence") for one in releases]
    words = "Share of rows by how far the answer has been proven."
    return _stacked("evidence", "Evidence", words, releases, shares, EVIDENCE_LEVELS)


def _databases(releases: Sequence[Release]) -> Figure:
    return _places(releases, "databases", "by_database", "Databases", "database")


def _sources(releases: Sequence[Release]) -> Figure:
    return _places(releases, "sources", "by_source", "Sources", "source")


def _places(releases: Sequence[Release], name: str, section: str, title: str, place: str) -> Figure:
    shares = [_shares(one, section) for one in releases]
    named = _largest(shares[-1] if shares else {}, _NAMED_DATABASES)
    shares = [_summed(one, named) for one in shares]
    names = [*named, *([_OTHERS] if any(one.get(_OTHERS) for one in shares) else [])]
    words = f"Share of rows by {place}; the {_NAMED_DATABASES} that are largest in the newest version are named."
    return _stacked(name, title, words, releases, shares, names)


def _sides(releases: Sequence[Release]) -> Figure:
    shares = [_shares(one, "by_sides") for one in releases]
    words = "Share of queries that have passages of both kinds, or of one: triplets come from those with both."
    return _stacked("sides", "Sides", words, releases, shares, list(shares[-1]) if shares else [])


def _labels_of_passages(releases: Sequence[Release]) -> Figure:
    shares = [_shares(one, "by_label") for one in releases]
    words = "Share of passages that were helpful, and of those that were not by how that is known."
    return _stacked("labels", "Labels", words, releases, shares, sorted({name for one in shares for name in one}))


def _constructs(releases: Sequence[Release]) -> Figure:
    shares = [_shares(one, "by_construct", of_rows=True) for one in releases]
    named = _largest(shares[-1] if shares else {}, _NAMED_CONSTRUCTS)
    series = [Series(name, [one.get(name) for one in shares], style) for style, name in enumerate(named, start=1)]
    there = [value for one in series for value in one.values if value is not None]
    labels = _labels(releases)
    axis = fractions(max(there, default=1.0))
    charts = [lines(labels, series, axis, size) for size in (WIDE, NARROW)] if there else []
    words = f"Share of rows whose query uses a construct: the {_NAMED_CONSTRUCTS} most frequent."
    return _figure("constructs", "SQL constructs", words, labels, series, charts, is_line=True)


def _stacked(
    name: str,
    title: str,
    description: str,
    releases: Sequence[Release],
    shares: Sequence[Mapping[str, float]],
    names: Iterable[str],
) -> Figure:
    series = [Series(_short(one), [share.get(one) for share in shares], n) for n, one in enumerate(names, start=1)]
    series = [one for one in series if any(one.values)]
    labels = _labels(releases)
    charts = [stacked_bars(labels, series, fractions(), size) for size in (WIDE, NARROW)] if series else []
    return _figure(name, title, description, labels, series, charts)


def _figure(
    name: str,
    title: str,
    description: str,
    labels: list[str],
    series: list[Series],
    charts: list,
    is_line: bool = False,
) -> Figure:
    rows: list[tuple[Cell, ...]] = [
        (label, *(percent(one.values[n]) for one in series)) for n, label in enumerate(labels)
    ]
    return Figure(
        name=name,
        title=title,
        description=description,
        nothing=_NOTHING,
        legend=legend_of(series),
        charts=tuple(charts),
        table=Table(("version", *(one.name for one in series)), rows[::-1]),
        is_line=is_line,
    )


def _short(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…"


def _labels(releases: Sequence[Release]) -> list[str]:
    return [f"v{one.version}" for one in releases]


def _shares(release: Release, section: str, *, of_rows: bool = False) -> dict[str, float]:
    """Return shares by name; of all rows where a row may count for several names, else of what is counted."""
    counts: Mapping[str, int] = release.manifest.get("balance", {}).get(section, {})
    whole = sum(release.rows.values()) if of_rows else sum(counts.values())
    return {name: count / whole for name, count in counts.items()} if whole else {}


def _largest(shares: Mapping[str, float], count: int) -> list[str]:
    named = [name for name in shares if shares[name] and not name.startswith("(")]
    return sorted(named, key=lambda name: (-shares[name], name))[:count]


def _summed(shares: Mapping[str, float], named: Sequence[str]) -> dict[str, float]:
    """Return the shares of ``named``, those of all others together."""
    if not shares:
        return {}
    shown = {name: shares.get(name, 0.0) for name in named}
    return {**shown, _OTHERS: round(1.0 - sum(shown.values()), _SHARE_DIGITS)}


_DRAWN: Mapping[str, Sequence[Callable[[Sequence[Release]], Figure]]] = {
    TEXT2SQL.name: (_growth, _difficulty, _databases, _evidence, _constructs),
    RERANKER.name: (_growth, _sources, _sides, _labels_of_passages),
}
"""The plots of each kind of dataset."""
