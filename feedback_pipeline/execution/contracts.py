"""What a caller passes in: the pairs of SQL to compare, the databases to run them on, and the limits."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """How much one query may cost, and how many run at the same time.

    Attributes:
        timeout_s: deadline of one query, fetching included.
        max_rows: rows of one result that are read and compared.
        max_bytes: bytes of one result that are read and compared, as they lie in memory.
        sample_rows: differing rows kept as evidence on each side.
        workers: queries run at the same time.
    """

    timeout_s: float
    max_rows: int
    max_bytes: int
    sample_rows: int
    workers: int


@dataclass(frozen=True)
class Target:
    """A database to run SQL on. ``url`` may hold a password, so it is left out of the representation."""

    database_id: str
    dialect: str
    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Pair:
    """The SQL that a feedback vouches for, beside the SQL that was generated.

    Attributes:
        tables: base tables that ``answer_sql`` reads; empty where this is not known.
        ordered: the order of the answer's rows counts (it has a top-level ORDER BY).
    """

    database_id: str
    answer_sql: str
    generated_sql: str | None = None
    tables: tuple[str, ...] = ()
    ordered: bool = False
