"""``make bench``: measure pipeline, deduplication, retrieval, API, releases, triplets and reranking, beside peers."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks import checks, deduplication, pipeline, reranker_gate, reranking, triplets
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
        reranking.measure(100, 200, 10)
        triplets.measure(1_000_000)


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


@app.command("triplets")
def triplets_only(
    rows: Annotated[int, typer.Option(help="Rated interactions, with ten chunks each.")] = 1_000_000,
) -> None:
    """Triplets from a quarter, a half and all of the interactions: rows/s and peak memory."""
    triplets.measure(rows)


@app.command("rerank")
def rerank_only(
    passages: Annotated[int, typer.Option(help="Passages of a query.")] = 100,
    tokens: Annotated[int, typer.Option(help="Their length, on average.")] = 200,
    rounds: Annotated[int, typer.Option(help="Queries that each way is asked.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; the table goes to standard error.")] = False,
) -> None:
    """Rank passages with the exported models, and with CrossEncoder.rank on the same weights."""
    reranking.measure(passages, tokens, rounds, as_json=as_json)


@app.command("gate")
def gate_only(
    folder: Annotated[Path, typer.Option(help="FeedbackQA's ratings and passages, see feedbackqa_replay.")],
    output: Annotated[Path, typer.Option(help="Where models and reports are written.")],
    judged_source: Annotated[str, typer.Option(help="The source that is judged on; the others are trained on.")],
    scenario: Annotated[list[str] | None, typer.Option(help="Only these; default: all.")] = None,
    candidates: Annotated[str, typer.Option(help="What is trained, separated by commas.")] = "bi_encoder,blend",
) -> None:
    """Train on one source of real ratings, judge on another; and what the gate says to ratings it must refuse."""
    reranker_gate.measure(folder, judged_source, scenario or list(reranker_gate.SCENARIOS), candidates, output)


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
