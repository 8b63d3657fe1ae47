"""Texts become the very tokens that the tokenizer itself makes of them, however long they are."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from feedback_pipeline.curation.encoder import BUNDLED, model_folder
from feedback_pipeline.reranker.scoring.tokens import TextTokenizer

FILE = Path(model_folder(BUNDLED)) / "tokenizer.json"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
TEXTS = st.one_of(
    st.text(max_size=40),
    st.builds(
        lambda word, times: f"{word} " * times,
        st.sampled_from(["refund", "Unbelievable!", "日本", "🙂", "x" * 120, "\u200b", "a\tb"]),
        st.integers(0, 70),
    ),
)
THEIRS = Tokenizer.from_file(str(FILE))
THEIRS.no_padding()
OURS = {tokens: TextTokenizer(FILE, tokens, INPUTS) for tokens in (8, 9, 32, 33)}


@given(first=TEXTS, second=TEXTS, tokens=st.sampled_from(sorted(OURS)))
def test_texts_alone_and_in_pairs_have_the_tokenizers_tokens(first: str, second: str, tokens: int):
    THEIRS.enable_truncation(tokens)
    ours = OURS[tokens]

    alone, pair = ours.alone(ours.read(first)), ours.pair(ours.read(first), ours.read(second))

    expected = THEIRS.encode(first, second)
    assert alone.ids == THEIRS.encode(first).ids
    assert (pair.ids, pair.type_ids) == (expected.ids, expected.type_ids)


LONG = ["word " * 20_000, "x" * 100_000, "日本" * 25_000, " " * 100_000 + "end", "\u200b " * 50_000]


@pytest.mark.parametrize("text", LONG)
def test_a_text_of_100_kb_is_cut_like_any(text: str):
    THEIRS.enable_truncation(33)

    assert OURS[33].alone(OURS[33].read(text)).ids == THEIRS.encode(text).ids
    pair = OURS[33].pair(OURS[33].read("a refund"), OURS[33].read(text))
    assert pair.ids == THEIRS.encode("a refund", text).ids


def test_two_texts_of_100_kb_do_not_take_gigabytes():
    long, longer = "日本" * 25_000, "word " * 60_000

    pairs = [OURS[33].pair(OURS[33].read(one), OURS[33].read(other)) for one, other in ((long, longer), (longer, long))]

    # 30 tokens of texts are shared out evenly.
    assert [sum(pair.type_ids) for pair in pairs] == [16, 16]
    assert [len(pair) for pair in pairs] == [33, 33]


def test_rows_of_a_batch_are_filled_up():
    ours = OURS[32]

    batch = ours.batch([ours.pair(ours.read("a"), ours.read("b c")), ours.alone(ours.read(""))])

    assert batch["attention_mask"].tolist() == [[1] * 6, [1, 1, 0, 0, 0, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 1], [0] * 6]
    assert batch["input_ids"][1, 2:].tolist() == [0] * 4
    assert all(array.dtype == np.int64 for array in batch.values())
