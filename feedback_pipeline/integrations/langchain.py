"""LangChain: verified corrections as the few-shot examples of a prompt. Needs ``feedback-pipeline[langchain]``."""

from collections.abc import Mapping
from typing import Any, Literal, NoReturn

from feedback_pipeline.integrations.extras import MissingExtraError
from feedback_pipeline.integrations.finding import FindsExamples, FoundExample
from feedback_pipeline.retrieval.prompt import adapted_sql, instructive_mistake, prompt_line

try:
    from langchain_core.example_selectors import BaseExampleSelector
except ImportError as error:
    raise MissingExtraError("langchain", error) from error

_ESCAPES = {"f-string": {"{": "{{", "}": "}}"}, "jinja2": {"{": "{{ '{' }}"}}


class CorrectionSelector(BaseExampleSelector):
    """Selects verified corrections similar to the question of a prompt. Thread-safe; works with ``await`` too.

    Each example has these texts: ``question``; ``sql``; ``adapted_sql``, with the values of the question asked, and
    ``generated_sql``, what a model once answered wrongly, both empty where there are none; ``example``, all of it as
    one line of JSON in which nothing a user wrote can pose as an instruction; ``example_id``; ``feedback_id``;
    ``score``.

    Args:
        finder: a ``Retriever`` or a ``FeedbackClient``.
        database_id: the database the prompt is about; examples of no other one are ever selected.
        k: how many examples at most.
        min_score: less alike ones are left out; default: the retriever's.
        input_key: the variable of the prompt that holds the question.
        template_format: that of the ``FewShotPromptTemplate``, which formats its finished text once more: braces in
            examples are written so that they survive it. None for ``FewShotChatMessagePromptTemplate``, which does not.

    Example:
        >>> FewShotPromptTemplate(
        ...     example_selector=CorrectionSelector(Retriever.open(), database_id="shop"),
        ...     example_prompt=PromptTemplate.from_template("{example}"),
        ...     suffix="Question: {question}",
        ...     input_variables=["question"],
        ... )

    """

    def __init__(
        self,
        finder: FindsExamples,
        *,
        database_id: str,
        k: int = 3,
        min_score: float | None = None,
        input_key: str = "question",
        template_format: Literal["f-string", "jinja2"] | None = "f-string",
    ):
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        self._finder, self._input_key = finder, input_key
        self._wanted: dict[str, Any] = {"database_id": database_id, "k": k, "min_score": min_score}
        self._escapes = str.maketrans(_ESCAPES[template_format] if template_format else {})

    def select_examples(self, input_variables: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return up to ``k`` examples, best first; none where nothing similar is known.

        Raises:
            ValueError: the prompt has no variable ``input_key``.

        """
        if self._input_key not in input_variables:
            known = ", ".join(sorted(input_variables)) or "none"
            raise ValueError(f"the prompt has no variable {self._input_key!r} (it has: {known}): set input_key")
        found = self._finder.retrieve(str(input_variables[self._input_key]), **self._wanted)
        return [self._texts(example) for example in found.examples]

    def add_example(self, example: Mapping[str, str]) -> NoReturn:
        """Refuse: an example becomes one by being verified.

        Raises:
            NotImplementedError: always; the text says how corrections come in.

        """
        raise NotImplementedError(
            "examples are verified corrections: give this one as feedback (FeedbackClient.correct or feedback-pipeline "
            "import); it is selected as soon as it is verified and published"
        )

    def _texts(self, example: FoundExample) -> dict[str, Any]:
        texts = {
            "question": example.natural_query,
            "sql": example.sql,
            "adapted_sql": adapted_sql(example) or "",
            "generated_sql": instructive_mistake(example) or "",
            "example": prompt_line(example),
            "example_id": example.example_id,
            "feedback_id": example.feedback_id or "",
            "score": f"{example.score:.3f}",
        }
        return {name: text.translate(self._escapes) for name, text in texts.items()}
