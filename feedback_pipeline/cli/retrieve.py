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
    prompt: Annotated[bool, typer.Option("--prompt", help="Print the text for a prompt instead of a table.")] = False,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="How long the text for a prompt may get, roughly; means --prompt.")
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Find verified corrections similar to QUESTION; an unknown database or an empty index gives none."""
    from feedback_pipeline.retrieval import Retriever, prompt_context

    retriever = Retriever.open()
    examples = retriever.similar(question, database_id=database_id, k=k)
    text = prompt_context(examples, max_tokens=max_tokens)
    if as_json:
        found = [example.as_dict() for example in examples]
        output.print_json({"examples": found, "prompt": text, "index_version": retriever.index_version})
    elif not examples:
        output.say(f"no examples for database {database_id}")
    elif prompt or max_tokens is not None:
        output.say(text.rstrip("\n") or f"no example fits into {max_tokens} tokens")
    else:
        rows = [(e.rank, f"{e.score:.3f}", e.natural_query, " ".join(e.sql.split()), e.feedback_id) for e in examples]
        output.print_table(["rank", "score", "question", "sql", "feedback"], rows)
