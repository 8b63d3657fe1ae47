"""``feedback-pipeline evaluate``: what retrieval finds, and what generated SQL is worth, measured on a file."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from feedback_pipeline.cli import output
from feedback_pipeline.cli.evaluation_tables import say_intervals, show_accuracy, show_recall

if TYPE_CHECKING:
    from feedback_pipeline.evaluation.generators import Generator
    from feedback_pipeline.evaluation.product import RetrieverRanker
    from feedback_pipeline.evaluation.questions import EvaluationSet
    from feedback_pipeline.evaluation.recall import Ranker, RecallTable
    from feedback_pipeline.evaluation.sql_accuracy import SqlAccuracy
    from feedback_pipeline.evaluation.workspace import Workspace
    from feedback_pipeline.settings import Settings


class SplitName(StrEnum):
    """How indexed and asked questions are told apart; ``evaluation.questions.Split`` explains each."""

    AUTO = "auto"
    COLUMN = "column"
    HASH = "hash"
    FIRST = "first"


class Method(StrEnum):
    """What is measured."""

    PLAIN = "plain"
    RETRIEVER = "retriever"
    PERFECT_MASK = "perfect-mask"


class GeneratorName(StrEnum):
    """What answers with SQL."""

    NEAREST = "nearest"
    OPENAI = "openai"


_Data = Annotated[list[Path], typer.Option("--data", metavar="PATH", help="Questions with their SQL; may be repeated.")]
_Mapping = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="THEIRS=OURS", help="Their column holds our field; may be repeated."),
]
_SplitOption = Annotated[SplitName, typer.Option(help="Which questions are indexed and which are asked.")]
_DatabaseId = Annotated[str | None, typer.Option(help="Database of rows that name none; default: the file's name.")]
_Dialect = Annotated[str | None, typer.Option(help="SQL dialect; default: FEEDBACK_DEFAULT_DIALECT.")]
_Limit = Annotated[int | None, typer.Option(min=1, help="Ask at most so many questions of a file, chosen by hash.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands to ``app``."""
    group = typer.Typer(no_args_is_help=True, help="Measure retrieval, and SQL generated with and without examples.")
    group.command("retrieval")(retrieval)
    group.command("sql")(sql)
    app.add_typer(group, name="evaluate")


def retrieval(
    data: _Data,
    mapping: _Mapping = None,
    split: _SplitOption = SplitName.AUTO,
    k: Annotated[str, typer.Option(metavar="K,K,…", help="Recall among so many first examples.")] = "1,3,5",
    methods: Annotated[
        list[Method] | None, typer.Option("--method", help="Only these; default: all the file allows.")
    ] = None,
    database_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="SQLite files DATABASE_ID.sqlite whose values questions are masked by."),
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(min=-1, max=1, help="Leave out less alike examples; default: the retriever's own.")
    ] = None,
    database_id: _DatabaseId = None,
    dialect: _Dialect = None,
    limit: _Limit = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Also draw the recall.")] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Measure how often an example of the right SQL template is among the first k.

    Everything is indexed and asked in a temporary folder; the project's own index is neither read nor changed.
    """
    from feedback_pipeline.evaluation.recall import measure
    from feedback_pipeline.evaluation.recall_plot import check_plot_file, write_plot
    from feedback_pipeline.evaluation.workspace import workspace
    from feedback_pipeline.settings import get_settings

    ks = _ks(k)
    if plot is not None:
        check_plot_file(plot)
    settings = get_settings()
    sets = _read(data, mapping, split, database_id, dialect, limit, settings)
    tables: list[RecallTable] = []
    with _progress(hidden=as_json) as progress:
        for questions in sets:
            with workspace(settings) as place:
                product = _product(questions, place, dialect or settings.default_dialect, database_dir, min_score)
                tables.append(measure(questions, _rankers(questions, methods, place, product), ks, progress))
    if plot is not None:
        write_plot(plot, tables)
    if as_json:
        output.print_json({"retrieval": [table.as_dict() for table in tables]})
        return
    for table in tables:
        show_recall(table)
    say_intervals()
    if plot is not None:
        output.say(f"drawn in {plot}")


def sql(
    data: _Data,
    generator: Annotated[GeneratorName, typer.Option(help="What answers the questions.")] = GeneratorName.NEAREST,
    mapping: _Mapping = None,
    split: _SplitOption = SplitName.AUTO,
    database_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="SQLite files DATABASE_ID.sqlite; default: the registered databases."),
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Endpoint up to /v1; default: OpenAI's.")] = None,
    model: Annotated[str | None, typer.Option(help="Model as the endpoint names it.")] = None,
    k: Annotated[int, typer.Option(min=1, max=50, help="Examples in a prompt at most.")] = 3,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Requests at the same time.")] = 4,
    timeout: Annotated[float, typer.Option(min=1, max=3_600, help="Seconds one request may take.")] = 60.0,
    database_id: _DatabaseId = None,
    dialect: _Dialect = None,
    limit: _Limit = None,
    as_json: output.JsonOption = False,
) -> None:
    """Measure how often generated SQL gives the rows of the gold SQL, with and without retrieved examples.

    Generated SQL runs read-only, as evidence does. The key of the endpoint is read from OPENAI_API_KEY.
    """
    from feedback_pipeline.settings import get_settings

    settings = get_settings()
    answering = _generator(generator, model, base_url, timeout)
    sets = _read(data, mapping, split, database_id, dialect, limit, settings)
    results = []
    with _progress(hidden=as_json) as progress:
        for questions in sets:
            results.append(_measured_sql(questions, answering, database_dir, (k, concurrency), dialect, progress))
    if as_json:
        output.print_json({"sql": [result.as_dict() for result in results]})
        return
    for result in results:
        show_accuracy(result)
    say_intervals()


def _ks(text: str) -> tuple[int, ...]:
    try:
        ks = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        ks = ()
    if not ks or ks[0] < 1 or ks[-1] > 100:
        raise typer.BadParameter("must be numbers from 1 to 100 with commas, such as 1,3,5.", param_hint="--k")
    return ks


def _read(
    paths: Sequence[Path],
    mapping: Sequence[str] | None,
    split: SplitName,
    database_id: str | None,
    dialect: str | None,
    limit: int | None,
    settings: "Settings",
) -> "list[EvaluationSet]":
    from feedback_pipeline.evaluation.questions import Split, read_questions
    from feedback_pipeline.intake.mapping import parse_mapping
    from feedback_pipeline.store.databases import known_dialect

    spelled = known_dialect(dialect or settings.default_dialect)
    options: dict[str, Any] = {"mapping": parse_mapping(mapping or ()), "database_id": database_id}
    sets = [read_questions(path, dialect=spelled, split=Split(split.value), **options) for path in paths]
    for questions in sets:
        if questions.unusable:
            output.warn(f"{questions.name}: {questions.unusable:,} rows without question or SQL are left out")
    return [questions.limited(limit) for questions in sets]


def _product(
    questions: "EvaluationSet", place: "Workspace", dialect: str, database_dir: Path | None, min_score: float | None
) -> "RetrieverRanker":
    from feedback_pipeline.evaluation.databases import databases_in
    from feedback_pipeline.evaluation.product import RetrieverRanker

    ids = {one.database_id for one in questions.indexed}
    return RetrieverRanker(place, dialect, databases_in(database_dir, ids) if database_dir else None, min_score)


def _rankers(
    questions: "EvaluationSet", methods: Sequence[Method] | None, place: "Workspace", product: "RetrieverRanker"
) -> "list[Ranker]":
    from feedback_pipeline.evaluation.rankers import perfect_mask, plain

    known = any(one.variables for one in questions.asked)
    chosen = methods or [Method.PLAIN, Method.RETRIEVER, *([Method.PERFECT_MASK] if known else [])]
    if Method.PERFECT_MASK in chosen and not known:
        problem = f"{questions.name} has no field variables, which perfect masks need."
        raise typer.BadParameter(problem, param_hint="--method")
    made: dict[Method, Callable[[], Ranker]] = {
        Method.PLAIN: lambda: plain(place),
        Method.RETRIEVER: lambda: product,
        Method.PERFECT_MASK: lambda: perfect_mask(place),
    }
    return [made[method]() for method in dict.fromkeys(chosen)]


def _generator(name: GeneratorName, model: str | None, base_url: str | None, timeout_s: float) -> "Generator":
    from feedback_pipeline.evaluation.generators import NearestGenerator, OpenAiGenerator

    if name is GeneratorName.NEAREST:
        return NearestGenerator()
    if not model:
        raise typer.BadParameter("the generator openai needs the name of a model.", param_hint="--model")
    return OpenAiGenerator(model, base_url, timeout_s=timeout_s)


def _measured_sql(
    questions: "EvaluationSet",
    generator: "Generator",
    database_dir: Path | None,
    numbers: tuple[int, int],
    dialect: str | None,
    progress: Any,
) -> "SqlAccuracy":
    from feedback_pipeline.checking import limits_of
    from feedback_pipeline.evaluation.databases import databases_in, registered_databases
    from feedback_pipeline.evaluation.product import RetrieverRanker
    from feedback_pipeline.evaluation.sql_accuracy import Conditions, measure_sql
    from feedback_pipeline.evaluation.workspace import workspace
    from feedback_pipeline.settings import get_settings

    settings = get_settings()
    if database_dir is not None:
        databases = databases_in(database_dir, {one.database_id for one in questions.asked})
    else:
        from feedback_pipeline.cli.session import opened

        with opened() as (_, store):
            databases = registered_databases(store)
    k, concurrency = numbers
    spelled = dialect or settings.default_dialect
    conditions = Conditions(databases, limits_of(settings), spelled, k, concurrency)
    with workspace(settings) as place:
        ranker = RetrieverRanker(place, spelled, databases)
        progress(f"{questions.name}: indexing", 0, len(questions.asked))
        ranker.index(questions.indexed)
        return measure_sql(questions, generator, ranker.examples, conditions, progress)


@contextmanager
def _progress(*, hidden: bool) -> Iterator[Any]:
    """Yield what is told (what, done, total) and shows it on stderr; not where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    disable = hidden or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable) as bar:
        task = bar.add_task("reading")
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
