"""Verified questions of one small database, and what they teach."""

from feedback_pipeline.curation.sql_values import sql_values
from feedback_pipeline.masking.dictionary import ValueDictionary
from feedback_pipeline.masking.learning import learn
from feedback_pipeline.masking.masker import QuestionMasker

COMMON_WORDS = frozenset({"in", "may", "me", "of", "the"})

FLIGHTS = (
    ("flights from Boston to Denver", "SELECT id FROM flight WHERE origin = 'Boston' AND target = 'Denver'"),
    ("flights from Denver to New York", "SELECT id FROM flight WHERE origin = 'Denver' AND target = 'New York'"),
    ("which flights go to York", "SELECT id FROM flight WHERE target = 'York'"),
    ("when does flight 928 leave", "SELECT leaves FROM flight WHERE flight_number = 928"),
    ("who flies flight 12", "SELECT pilot FROM flight WHERE flight_number = 12"),
    ("flights after 1800", "SELECT id FROM flight WHERE leaves > 1800"),
    ("flights leaving after 700", "SELECT id FROM flight WHERE leaves > 700"),
)


def learned(*examples: tuple[str, str], sample: tuple[tuple[str, str], ...] = ()) -> ValueDictionary:
    """Return what (question, SQL) teach."""
    pairs = [(question, sql_values(sql, "sqlite")) for question, sql in examples]
    return learn(pairs, sample, COMMON_WORDS)


def masker_of(*examples: tuple[str, str], sample: tuple[tuple[str, str], ...] = ()) -> QuestionMasker:
    """Return a masker that has learned from (question, SQL)."""
    return QuestionMasker(learned(*examples, sample=sample))
