"""``make bench``: measure the pipeline, deduplication's growth, retrieval, the API and releases, each beside a peer."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks import checks, deduplication, pipeline
from benchmarks.api import report
from benchmarks.releases import report as releases
from benchmarks.retrieval import report as retrieval

app = typer.Typer(help=__doc__)


@app.callback(invoke_without_command=True)
def everything(
    context: typer.Context,
    rows: Annotated[int, typer.Option(help="Corrections in the made-up corpus.")] = 80_000,
    corpus: Annotated[Path | None, typer.Option(help="Use this file of corrections instead.")] = None,
    mapping: Annotated[list[str] | None, typer.Option("--map", help="theirs=ours, as for import.")] = None,
) -> None:
    """Run all benchmarks, unless one is named."""
    if context.invoked_subcommand is None:
        pipeline.measure(rows, corpus, mapping or [])
        deduplication.measure()
        retrieval.measure(100_000, 100)
        report.measure(100_000, 20, None)
        releases.measure(1_000_000, 3, 100_000)


@app.command("pipeline")
def pipeline_only(
    rows: Annotated[int, typer.Option(help="Corrections in the made-up corpus.")] = 80_000,
    corpus: Annotated[Path | None, typer.Option(help="Use this file of corrections instead.")] = None,
    mapping: Annotated[list[str] | None, typer.Option("--map", help="theirs=ours, as for import.")] = None,
) -> None:
    """Import, run, and run again after 1 % more rows: stage times, rows/s and peak memory."""
    pipeline.measure(rows, corpus, mapping or [])


@app.command("checks")
def checks_only(
    corpus: Annotated[Path, typer.Option(help="JSONL with db_id, natural_query, generated_sql, corrected_sql.")],
    databases: Annotated[Path, typer.Option(help="Folder with one <db_id>.sqlite per database.")],
    verdict_field: Annotated[str | None, typer.Option(help="Field that says whether results are equal.")] = None,
    repeats: Annotated[int, typer.Option(help="The median of so many rounds is reported.")] = 3,
) -> None:
    """Parse, resolve and run real corrections: rows/s, memory, outcomes, and agreement with another verdict."""
    checks.measure(corpus, databases, verdict_field, repeats)


@app.command("deduplication")
def deduplication_only() -> None:
    """Time of deduplication and clustering as rows grow, and the exponent of the growth."""
    deduplication.measure()


@app.command("retrieval")
def retrieval_only(
    rows: Annotated[int, typer.Option(help="Examples in the index.")] = 100_000,
    databases: Annotated[int, typer.Option(help="Databases they are dealt out over.")] = 100,
    part: Annotated[list[str] | None, typer.Option(help=f"Only this part: {', '.join(retrieval.PARTS)}.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; tables go to standard error.")] = False,
) -> None:
    """Search, question to examples, cold start, load and publishing, against NumPy, FAISS, LanceDB and LangChain."""
    retrieval.measure(rows, databases, parts=part, as_json=as_json)


@app.command("releases")
def releases_only(
    rows: Annotated[int, typer.Option(help="Rows of the release.")] = 1_000_000,
    repeats: Annotated[int, typer.Option(help="The median of so many rounds is reported.")] = 3,
    peer_rows: Annotated[int, typer.Option(help="Rows that datasets builds too, which is slow.")] = 100_000,
) -> None:
    """Release beside pyarrow and datasets, memory as rows grow, and what small changes cost."""
    releases.measure(rows, repeats, peer_rows)


@app.command("api")
def api_only(
    waiting: Annotated[int, typer.Option(help="Corrections that wait in the queue.")] = 100_000,
    seconds: Annotated[float, typer.Option(help="How long the clients send.")] = 20,
    database_url: Annotated[str | None, typer.Option(help="An empty Postgres database instead of SQLite.")] = None,
) -> None:
    """Fifty clients at once: requests/s, percentiles, the queue page, and whether anything was lost or doubled."""
    report.measure(waiting, seconds, database_url)


if __name__ == "__main__":
    app()
