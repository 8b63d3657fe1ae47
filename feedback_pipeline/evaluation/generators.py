"""What answers a question with SQL: the nearest example's own SQL, or a model behind an OpenAI-compatible endpoint."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from feedback_pipeline.curation.tidying import tidy
from feedback_pipeline.retrieval import Example, prompt_context

_KEY = "OPENAI_API_KEY"
_NO_KEY_NEEDED = "none"
_HOPELESS = frozenset({401, 403, 404})
_INSTRUCTION = "You translate questions into SQL. Answer with one {dialect} query and nothing else."


class GeneratorError(RuntimeError):
    """A generator cannot be used at all; the text says why and the way out."""


@dataclass(frozen=True)
class Task:
    """A question to be answered. ``schema`` is the text of CREATE TABLE statements; ``examples`` may be none."""

    question: str
    dialect: str
    schema: str
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Generated:
    """What came of a task: ``sql``, or ``failure`` with the kind of reason.

    ``adapted`` tells that it is an example's SQL with its values swapped.
    """

    sql: str | None = None
    failure: str | None = None
    adapted: bool = False


class Generator(Protocol):
    """Answers tasks; several at the same time."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    @property
    def needs_examples(self) -> bool:
        """Whether it has no answer without examples."""
        ...

    def answer(self, task: Task) -> Generated:
        """Answer one task. Raises GeneratorError where no task could ever be answered."""
        ...


class NearestGenerator:
    """Answers with the SQL of the first example, its values swapped where the retriever could."""

    name = "nearest"
    needs_examples = True

    def answer(self, task: Task) -> Generated:
        """Return the first example's adapted SQL, else its own; a failure where there is no example."""
        if not task.examples:
            return Generated(failure="no example found")
        adapted = getattr(task.examples[0], "adapted_sql", None)
        return Generated(adapted or task.examples[0].sql, adapted=adapted is not None)


class OpenAiGenerator:
    """Asks a model through the chat completions of an OpenAI-compatible endpoint, at temperature 0.

    The key is read from OPENAI_API_KEY; an endpoint named by ``base_url`` may need none.

    Args:
        model: as the endpoint names it.
        base_url: of the endpoint, up to ``/v1``; default: OpenAI's.
        timeout_s: how long one attempt may take.
        retries: how often timeouts, lost connections, 429 and 5xx are tried again.

    Raises:
        GeneratorError: the ``openai`` library is not installed, or there is no key.

    """

    needs_examples = False

    def __init__(self, model: str, base_url: str | None = None, *, timeout_s: float = 60.0, retries: int = 2):
        try:
            import openai
        except ImportError as error:
            raise GeneratorError(
                "the generator 'openai' needs the library: pip install 'feedback-pipeline[evaluate]'"
            ) from error
        key = os.environ.get(_KEY) or (_NO_KEY_NEEDED if base_url else None)
        if key is None:
            raise GeneratorError(f"set {_KEY}, or name an endpoint that needs no key with --base-url")
        self.name = f"openai ({model})"
        self._errors: Any = openai
        self._model, self._has_answered = model, False
        self._client = openai.OpenAI(api_key=key, base_url=base_url, timeout=timeout_s, max_retries=retries)

    def answer(self, task: Task) -> Generated:
        """Return the SQL in the model's answer, without fences and words around it; failures by their kind.

        Raises:
            GeneratorError: the endpoint refuses the key, does not know the model, or has given no answer at all so far.

        """
        try:
            answer = self._client.chat.completions.create(model=self._model, temperature=0, messages=[*_messages(task)])
            choice = _choice_of(answer)
        except (self._errors.APIError, ValueError) as error:
            # ValueError: what came is no JSON, which the library does not turn into an error of its own.
            return Generated(failure=self._kind(error))
        self._has_answered = True
        return _sql_of(choice, task.dialect)

    def _kind(self, error: Exception) -> str:
        """Return the kind of a failure. Raises GeneratorError for those that every task would meet."""
        status = getattr(error, "status_code", None)
        if status in _HOPELESS:
            raise GeneratorError(
                f"{self._client.base_url} answers HTTP {status}: check --base-url, --model and {_KEY}"
            ) from error
        if status is not None:
            return f"HTTP {status}"
        if isinstance(error, self._errors.APITimeoutError):
            return "timed out"
        kind = "no connection" if isinstance(error, self._errors.APIConnectionError) else "unreadable answer"
        if not self._has_answered:
            raise GeneratorError(f"{self._client.base_url} gives {kind}: check --base-url ({error})") from error
        return kind

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _messages(task: Task) -> Sequence[Any]:
    schema = f"Schema:\n{task.schema}" if task.schema else ""
    parts = [schema, prompt_context(task.examples), f"Question: {task.question}"]
    content = "\n\n".join(part.strip() for part in parts if part)
    return (
        {"role": "system", "content": _INSTRUCTION.format(dialect=task.dialect)},
        {"role": "user", "content": content},
    )


def _choice_of(answer: Any) -> Any:
    """Return the first choice of a chat completion. Raises ValueError where the answer is none."""
    choices = getattr(answer, "choices", None)
    if not isinstance(choices, list) or not choices:
        raise ValueError("it is no chat completion")
    return choices[0]


def _sql_of(choice: Any, dialect: str) -> Generated:
    if getattr(choice, "finish_reason", None) == "length":
        return Generated(failure="cut off")
    content = getattr(getattr(choice, "message", None), "content", None)
    text = tidy(content, dialect).sql.strip() if isinstance(content, str) else ""
    return Generated(text) if text else Generated(failure="empty answer")


def generate_all(
    generator: Generator, tasks: Sequence[Task], *, concurrency: int, progress: Callable[[int, int], None]
) -> list[Generated]:
    """Answer all tasks, at most ``concurrency`` at a time, in their order.

    Raises:
        GeneratorError: no task could ever be answered, then what waits is not begun; or none was, although no examples
            are needed for it.

    """
    answers = []
    with ThreadPoolExecutor(concurrency, thread_name_prefix="generation") as workers:
        try:
            for done, answer in enumerate(workers.map(generator.answer, tasks), start=1):
                answers.append(answer)
                progress(done, len(tasks))
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            raise
    _refuse_silence(generator, answers)
    return answers


def _refuse_silence(generator: Generator, answers: Sequence[Generated]) -> None:
    """Raise where nothing at all was answered: that tells of the endpoint, not of the examples."""
    failures = Counter(answer.failure for answer in answers if answer.failure)
    if answers and failures.total() == len(answers) and not generator.needs_examples:
        listed = ", ".join(f"{failure}: {count}" for failure, count in failures.most_common())
        raise GeneratorError(f"{generator.name} has answered none of {len(answers)} questions ({listed})")
