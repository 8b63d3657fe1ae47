"""The cheap look at a text must never keep the libraries from what they would find."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from feedback_pipeline.curation.personal_data import find_personal_data
from feedback_pipeline.curation.secret_values import find_assigned, find_secrets
from feedback_pipeline.curation.suspicion import may_hold_personal_data, may_hold_secret, may_name_secret
from feedback_pipeline_tests.curation.test_privacy import PLANTED, VALUES

WORDS = ["phone", "tel ", "mobile_no = ", "IN ('", "', '", "password = '", "x", "ext. ", "from", "version "]

digits = st.text(alphabet="0123456789", min_size=1, max_size=12)
token = st.text(alphabet="abcXYZ0123456789_-./:+=@", max_size=24)
noise = st.text(alphabet="0123456789 -+().:/x@,'\"ABCdef\n\u0660\uff10\uff0b\u00a0", max_size=20)
fragment = st.one_of(
    st.sampled_from([*PLANTED, *VALUES]), st.sampled_from(WORDS), digits, token, noise, st.text(max_size=8)
)
cut = st.builds(
    lambda value, start, end: value[start:end], st.sampled_from(PLANTED), st.integers(0, 8), st.integers(8, 60)
)
texts = st.builds(
    lambda pieces, joint: joint.join(pieces),
    st.lists(st.one_of(fragment, cut), max_size=6),
    st.sampled_from(["", " ", "-", ".", ", "]),
)
leads = st.one_of(st.just(""), st.sampled_from(["WHERE phone = '", "cell number in ('0301234', '", "x = "]))


@settings(max_examples=1_500)
@given(texts, leads)
@example("1234567", "phone ")
@example("2008-01-01 0301234", "")
@example("010101", "WHERE phone = '")
def test_a_text_with_personal_data_is_always_suspicious(text: str, before: str):
    assert may_hold_personal_data(text, before) or not find_personal_data(text, before)


@settings(max_examples=1_500)
@given(texts)
def test_a_text_with_a_secret_is_always_suspicious(text: str):
    assert may_hold_secret(text) or not find_secrets(text)
    assert may_name_secret(text) or not find_assigned(text)


def test_ordinary_values_are_mostly_not_even_looked_at():
    ordinary = [
        "How many flights left between 2008-01-01 and 2009-12-31?",
        "Which singers were born in 1948 or 1949?",
        "orders over 1234567.89 in Berlin",
        "What is the id of zip 94103-1234?",
        "the township with geo id 3809959540",
    ]

    assert not [text for text in ordinary if may_hold_personal_data(text) or may_hold_secret(text)]
