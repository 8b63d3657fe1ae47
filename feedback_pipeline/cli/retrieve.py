"""``feedback-pipeline retrieve``: what an agent would be given for a question."""

from typing import Annotated

import typer

from feedback_pipeline.cli import output


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("retrieve")(retrieve)


def retrieve(
    question: Annotated[str, typer.Argument(help="The question as a user would ask it.")],
    database_id: Annotated[str, typer.Option(help="The database the question is about.")],
    k: Annotated[int, typer.Option(min=1, max=100, help="How many examples at most.")] = 3,
    as_json: output.JsonOption = False,
) -> None:
    """Find verified corrections similar to QUESTION; an unknown database or an empty index gives none."""
    from feedback_pipeline.retrieval import Retriever

    retriever = Retriever.open()
    examples = retriever.similar(question, database_id=database_id, k=k)
    if as_json:
        document = {"examples": [example.as_dict() for example in examples], "index_version": retriever.index_version}
        output.print_json(document)
        return
    if not examples:
        output.say(f"no examples for database {database_id}")
        return
    rows = [(e.rank, f"{e.score:.3f}", e.natural_query, " ".join(e.sql.split()), e.feedback_id) for e in examples]
    output.print_table(["rank", "score", "question", "sql", "feedback"], rows)
