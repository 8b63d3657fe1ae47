"""Verified corrections in LangChain's few-shot prompts, really rendered."""

import asyncio
import json
from pathlib import Path
from typing import Literal

import pytest
from langchain_core.prompts import (
    ChatPromptTemplate,
    FewShotChatMessagePromptTemplate,
    FewShotPromptTemplate,
    PromptTemplate,
)

from feedback_pipeline.integrations.langchain import CorrectionSelector
from feedback_pipeline.retrieval import Retriever
from feedback_pipeline_tests import attacks
from feedback_pipeline_tests.integrations.conftest import SHIPS, TEA, WRONG, put

Format = Literal["f-string", "jinja2"]
QUESTION = "how many ships"
BRACES = "cost {question} of {0!r} {{tea}} {% raw %} {{ 7 * 7 }}"


def string_prompt(selector: CorrectionSelector, template_format: Format = "f-string") -> FewShotPromptTemplate:
    variable = "{{ %s }}" if template_format == "jinja2" else "{%s}"
    return FewShotPromptTemplate(
        example_selector=selector,
        example_prompt=PromptTemplate.from_template(variable % "example", template_format=template_format),
        prefix="Answer in SQL.",
        suffix="Question: " + variable % "question",
        input_variables=["question"],
        template_format=template_format,
        example_separator="\n",
    )


def chat_prompt(selector: CorrectionSelector) -> ChatPromptTemplate:
    shots = FewShotChatMessagePromptTemplate(
        example_selector=selector,
        example_prompt=ChatPromptTemplate.from_messages([("human", "{question}"), ("ai", "{sql}")]),
        input_variables=["question"],
    )
    return ChatPromptTemplate.from_messages([("system", "Answer in SQL."), shots, ("human", "{question}")])


def test_a_prompt_shows_the_examples_best_first(root: str):
    prompt = string_prompt(CorrectionSelector(Retriever(root), database_id="shop", k=2))

    first, *examples, last = prompt.format(question=QUESTION).splitlines()

    assert (first, last) == ("Answer in SQL.", f"Question: {QUESTION}")
    assert [json.loads(line) for line in examples] == [
        {"question": SHIPS[1], "sql": SHIPS[2], "once_answered_wrongly": WRONG[SHIPS[2]]},
        {"question": TEA[1], "sql": TEA[2]},
    ]


def test_a_chat_shows_them_as_turns(root: str):
    selector = CorrectionSelector(Retriever(root), database_id="shop", k=1, template_format=None)

    messages = chat_prompt(selector).format_messages(question=QUESTION)

    assert [(message.type, message.content) for message in messages] == [
        ("system", "Answer in SQL."),
        ("human", SHIPS[1]),
        ("ai", SHIPS[2]),
        ("human", QUESTION),
    ]


def test_both_kinds_of_prompt_can_be_awaited(root: str):
    async def both() -> tuple[str, int]:
        strings = string_prompt(CorrectionSelector(Retriever(root), database_id="shop", k=1))
        chat = chat_prompt(CorrectionSelector(Retriever(root), database_id="shop", k=1, template_format=None))
        return await strings.aformat(question=QUESTION), len(await chat.aformat_messages(question=QUESTION))

    text, messages = asyncio.run(both())

    assert SHIPS[2] in text
    assert messages == 4


def test_questions_too_little_alike_are_left_out(root: str):
    strict = CorrectionSelector(Retriever(root), database_id="shop", min_score=0.99)
    loose = CorrectionSelector(Retriever(root), database_id="shop", min_score=-1)

    assert [len(selector.select_examples({"question": QUESTION})) for selector in (strict, loose)] == [1, 2]


def test_a_selector_never_reads_another_database(root: str):
    selected = CorrectionSelector(Retriever(root), database_id="bank", k=100).select_examples({"question": QUESTION})

    assert [example["sql"] for example in selected] == ["SELECT COUNT(*) FROM bank_ships"]


def test_every_text_an_example_prompt_may_name_is_there(root: str):
    selector = CorrectionSelector(Retriever(root), database_id="shop", k=2, template_format=None)

    best, second = selector.select_examples({"question": QUESTION})

    assert (best["generated_sql"], second["generated_sql"]) == (WRONG[SHIPS[2]], "")
    assert best["adapted_sql"] == ""
    assert float(best["score"]) > float(second["score"])
    assert best["feedback_id"] == f"f-{SHIPS[1]}"
    assert all(isinstance(text, str) for text in best.values())


@pytest.mark.parametrize("template_format", ["f-string", "jinja2"])
def test_braces_in_an_example_are_no_template(tmp_path: Path, template_format: Format):
    put(str(tmp_path), ("shop", BRACES, f"SELECT '{BRACES}'"))
    selector = CorrectionSelector(
        Retriever(str(tmp_path)), database_id="shop", min_score=-1, template_format=template_format
    )

    text = string_prompt(selector, template_format).format(question="cost of tea")

    assert json.loads(text.splitlines()[1]) == {"question": BRACES, "sql": f"SELECT '{BRACES}'"}


def test_braces_reach_a_chat_to_the_letter(tmp_path: Path):
    put(str(tmp_path), ("shop", BRACES, f"SELECT '{BRACES}'"))
    selector = CorrectionSelector(Retriever(str(tmp_path)), database_id="shop", min_score=-1, template_format=None)

    messages = chat_prompt(selector).format_messages(question="cost of tea")

    assert [message.content for message in messages[1:3]] == [BRACES, f"SELECT '{BRACES}'"]


def test_attacks_stay_on_the_lines_of_their_examples(tmp_path: Path):
    questions = {f"cost {text}" for text in attacks.ALL}
    put(str(tmp_path), *(("shop", question) for question in sorted(questions)))
    selector = CorrectionSelector(Retriever(str(tmp_path)), database_id="shop", min_score=-1, k=len(questions))

    _, *lines, _ = string_prompt(selector).format(question="cost of tea").splitlines()

    assert len(lines) == len(questions) > 100
    assert {json.loads(line)["question"] for line in lines} == questions


def test_a_broken_index_gives_a_prompt_without_examples(broken_root: str):
    selector = CorrectionSelector(Retriever(broken_root), database_id="shop")

    assert string_prompt(selector).format(question=QUESTION).splitlines() == ["Answer in SQL.", f"Question: {QUESTION}"]
    assert asyncio.run(selector.aselect_examples({"question": QUESTION})) == []


def test_an_example_cannot_be_added_behind_the_back_of_those_who_verify(root: str):
    selector = CorrectionSelector(Retriever(root), database_id="shop")

    with pytest.raises(NotImplementedError, match=r"feedback-pipeline import.*verified and published"):
        selector.add_example({"question": "q", "sql": "SELECT 1"})
    with pytest.raises(NotImplementedError):
        asyncio.run(selector.aadd_example({"question": "q", "sql": "SELECT 1"}))


def test_a_prompt_without_the_question_says_how_to_name_it(root: str):
    selector = CorrectionSelector(Retriever(root), database_id="shop")

    with pytest.raises(ValueError, match=r"no variable 'question' \(it has: input\): set input_key"):
        selector.select_examples({"input": QUESTION})

    renamed = CorrectionSelector(Retriever(root), database_id="shop", input_key="input")
    assert len(renamed.select_examples({"input": QUESTION})) == 2


def test_fewer_than_one_example_is_refused_at_once(root: str):
    with pytest.raises(ValueError, match="k must be at least 1"):
        CorrectionSelector(Retriever(root), database_id="shop", k=0)
