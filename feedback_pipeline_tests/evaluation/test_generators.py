"""Generators: what they answer, and what becomes of every way an endpoint can fail. Real HTTP on 127.0.0.1."""

import sys
from dataclasses import dataclass

import pytest

from feedback_pipeline.evaluation.generators import (
    Generated,
    GeneratorError,
    NearestGenerator,
    OpenAiGenerator,
    Task,
    generate_all,
)
from feedback_pipeline.retrieval import Example
from feedback_pipeline_tests.evaluation.fake_endpoint import Answer, endpoint

TASK = Task("how many?", "sqlite", "CREATE TABLE river (name TEXT);")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-the-test")


@dataclass(frozen=True)
class Adapted(Example):
    """An example whose values were swapped."""

    adapted_sql: str | None = "SELECT 2"


def example(sql: str, kind: type[Example] = Example) -> Example:
    return kind("1", "f", ("f",), "d", "how?", sql, None, 0.9, 1, "import")


def answered(answer: Answer, timeout_s: float = 60.0) -> tuple[Generated, int]:
    """Ask once; return the answer and how many requests it took."""
    with endpoint(lambda _: answer) as served:
        generator = OpenAiGenerator("m", served.url, timeout_s=timeout_s, retries=0)
        try:
            return generator.answer(TASK), len(served.requests)
        finally:
            generator.close()


def test_nearest_gives_the_first_examples_sql_and_its_adapted_form_where_there_is_one() -> None:
    nearest = NearestGenerator()
    plain, adapted = example("SELECT 1"), example("SELECT 1", Adapted)

    found = [nearest.answer(Task("?", "sqlite", "", (first, example("SELECT 3")))) for first in (plain, adapted)]

    assert found == [Generated("SELECT 1"), Generated("SELECT 2", adapted=True)]
    assert nearest.answer(Task("?", "sqlite", "")) == Generated(failure="no example found")


def test_the_prompt_holds_schema_examples_and_question_and_asks_without_chance() -> None:
    with endpoint(lambda _: Answer("SELECT 1")) as served:
        generator = OpenAiGenerator("some-model", served.url)
        generator.answer(Task("how many?", "sqlite", "CREATE TABLE river (name TEXT);", (example("SELECT 42"),)))
        generator.close()

    request = served.requests[0]
    assert (request["model"], request["temperature"], request["path"]) == ("some-model", 0, "/v1/chat/completions")
    assert served.keys == {"Bearer secret-of-the-test"}
    assert "CREATE TABLE river (name TEXT);" in served.prompts[0]
    assert '"sql": "SELECT 42"' in served.prompts[0]
    assert served.prompts[0].endswith("Question: how many?")
    assert "sqlite" in request["messages"][0]["content"]


def test_fences_and_words_around_the_sql_are_taken_away() -> None:
    found, _ = answered(Answer("Here is the query:\n```sql\nSELECT count(*) FROM river;\n```\nHope this helps!"))

    assert found.sql is not None
    assert found.sql.rstrip(";") == "SELECT count(*) FROM river"


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (Answer(status=429), "HTTP 429"),
        (Answer(status=500), "HTTP 500"),
        (Answer(status=400), "HTTP 400"),
        (Answer(""), "empty answer"),
        (Answer(None), "empty answer"),
        (Answer("SELECT 1, 2, 3", finish_reason="length"), "cut off"),
        (Answer(raw=b'{"choices": [{"message": null}]}'), "empty answer"),
    ],
)
def test_every_failure_has_a_name(answer: Answer, failure: str) -> None:
    assert answered(answer)[0] == Generated(failure=failure)


def test_an_endpoint_that_takes_too_long_is_given_up() -> None:
    assert answered(Answer("SELECT 1", delay_s=30), timeout_s=0.3)[0] == Generated(failure="timed out")


def test_an_endpoint_that_is_not_there_ends_the_measurement() -> None:
    with endpoint(lambda _: Answer()) as served:
        url = served.url

    generator = OpenAiGenerator("m", url, retries=0)

    with pytest.raises(GeneratorError, match=rf"{url}.* gives no connection: check --base-url"):
        generator.answer(TASK)
    generator.close()


@pytest.mark.parametrize("raw", [b"<html>", b"{}", b"[]", b"null", b'{"choices": []}'])
def test_an_endpoint_that_speaks_otherwise_ends_the_measurement(raw: bytes) -> None:
    with pytest.raises(GeneratorError, match="gives unreadable answer: check --base-url"):
        answered(Answer(raw=raw))


@pytest.mark.parametrize(("answer", "said"), [(Answer(status=405), "HTTP 405: 3"), (Answer(status=500), "HTTP 500: 3")])
def test_where_nothing_is_answered_the_measurement_ends(answer: Answer, said: str) -> None:
    with endpoint(lambda _: answer) as served:
        generator = OpenAiGenerator("m", served.url, retries=0)
        with pytest.raises(GeneratorError, match=rf"answered none of 3 questions \({said}\)"):
            generate_all(generator, [TASK] * 3, concurrency=2, progress=lambda *_: None)
        generator.close()


def test_an_endpoint_that_goes_away_fails_the_tasks_it_is_away_for() -> None:
    answers = iter([Answer("SELECT 1"), Answer(raw=b"<html>")])
    with endpoint(lambda _: next(answers)) as served:
        generator = OpenAiGenerator("m", served.url, retries=0)
        found = [generator.answer(TASK), generator.answer(TASK)]

    found.append(generator.answer(TASK))

    assert [one.failure for one in found] == [None, "unreadable answer", "no connection"]
    generator.close()


def test_what_passes_is_tried_again() -> None:
    answers = iter([Answer(status=503), Answer("SELECT 1")])
    with endpoint(lambda _: next(answers)) as served:
        generator = OpenAiGenerator("m", served.url, retries=1)
        found = generator.answer(TASK)
        generator.close()

    assert found == Generated("SELECT 1")
    assert len(served.requests) == 2


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_or_unknown_model_ends_the_measurement(status: int) -> None:
    with pytest.raises(GeneratorError, match=f"HTTP {status}: check --base-url, --model and OPENAI_API_KEY") as error:
        answered(Answer(status=status))
    assert "secret-of-the-test" not in str(error.value)


def test_without_a_key_only_an_endpoint_of_ones_own_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    with pytest.raises(GeneratorError, match="set OPENAI_API_KEY"):
        OpenAiGenerator("m")
    assert answered(Answer("SELECT 1"))[0] == Generated("SELECT 1")


def test_without_the_library_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)

    with pytest.raises(GeneratorError, match=r"feedback-pipeline\[evaluate\]"):
        OpenAiGenerator("m")


def test_so_many_requests_run_at_the_same_time_and_answers_keep_their_order() -> None:
    tasks = [Task(f"number {number}", "sqlite", "") for number in range(12)]
    seen: list[int] = []
    with endpoint(lambda prompt: Answer(f"SELECT {prompt.split()[-1]}", delay_s=0.05)) as served:
        generator = OpenAiGenerator("m", served.url)
        found = generate_all(generator, tasks, concurrency=3, progress=lambda done, _: seen.append(done))
        generator.close()

    assert [one.sql for one in found] == [f"SELECT {number}" for number in range(12)]
    assert 2 <= served.busiest <= 3
    assert seen == list(range(1, 13))


def test_a_refusal_stops_what_waits() -> None:
    tasks = [Task(f"number {number}", "sqlite", "") for number in range(200)]
    with endpoint(lambda _: Answer(status=401, delay_s=0.05)) as served:
        generator = OpenAiGenerator("m", served.url)
        with pytest.raises(GeneratorError):
            generate_all(generator, tasks, concurrency=2, progress=lambda *_: None)
        generator.close()

    assert len(served.requests) < 20
