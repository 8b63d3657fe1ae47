"""The only reader of the environment: every knob, its default and what it means.

Variables are named ``FEEDBACK_<FIELD>`` and may stand in a ``.env`` file. All have defaults, so nothing needs setting
to try the project on one machine.
"""

import os
from datetime import date
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

QUIET = {
    "DO_NOT_TRACK": "1",
    "DAFT_ANALYTICS_ENABLED": "0",
    "DAFT_PROGRESS_BAR": "0",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "SCARF_NO_ANALYTICS": "true",
    "LANCEDB_LOG": "error",
    "TOKENIZERS_PARALLELISM": "false",
}


class Settings(BaseSettings):
    """All settings of one deployment."""

    model_config = SettingsConfigDict(env_prefix="FEEDBACK_", env_file=".env", extra="ignore", frozen=True)

    storage_root: str = Field(default="data", description="Folder or fsspec URL that holds tables, index and releases.")
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL of the store; default: SQLite file feedback.db under the storage root.",
    )
    hash_key: SecretStr | None = Field(
        default=None,
        description="Secret for hashing user ids; default: created once as hash.key under the storage root.",
    )
    embedding_model: str = Field(default="bundled", description="'bundled' (MiniLM, 384 dimensions) or a model folder.")
    default_dialect: str = Field(default="sqlite", description="SQL dialect of databases nobody has registered.")
    ray_address: str | None = Field(
        default=None, description="Ray cluster for Daft; default: run natively on this machine."
    )
    min_rating: int = Field(default=4, ge=1, le=5, description="A rated correction needs at least this rating (1-5).")
    max_question_chars: int = Field(default=4_000, ge=1, description="Longer questions are refused when they come in.")
    max_sql_chars: int = Field(default=50_000, ge=1, description="Longer SQL is refused when it comes in.")
    execution_timeout_s: float = Field(default=5.0, gt=0, le=600, description="Deadline of one query run as evidence.")
    execution_max_rows: int = Field(default=10_000, ge=1, description="Rows of one result that are read and compared.")
    execution_max_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1_024, description="Bytes of one result that are read and compared."
    )
    execution_sample_rows: int = Field(
        default=5, ge=0, le=100, description="Differing rows kept as evidence on each side; 0 keeps none."
    )
    execution_workers: int = Field(default=8, ge=1, le=256, description="Queries run at the same time as evidence.")
    auto_verify: Literal["off", "consensus"] = Field(
        default="off",
        description="'consensus' verifies what enough distinct users agree on; 'off' leaves it to people.",
    )
    consensus_users: int = Field(default=3, ge=2, description="Distinct users who must agree for a consensus.")
    max_user_share: float = Field(
        default=0.25, gt=0, le=1, description="Largest share of all weight that one user's voice may have."
    )
    burst_submissions: int = Field(
        default=50, ge=2, description="So many submissions of one user within the burst minutes are flagged for review."
    )
    burst_minutes: int = Field(default=60, ge=1, description="Length of the window in which a burst is counted.")
    max_rejected_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of corrections left out for one reason from which a check warns."
    )
    max_conflict_share: float = Field(
        default=0.2, ge=0, le=1, description="Share of verified corrections in conflict from which a check warns."
    )
    max_redacted_share: float = Field(
        default=0.2, ge=0, le=1, description="Share of a day's corrections with redactions from which a check warns."
    )
    max_unexecutable_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of a day's corrections that could not be run from which a check warns.",
    )
    max_recall_drop: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Drop of the recall on probes from which an index is not published; 1 publishes whatever is found.",
    )
    validation_percent: int = Field(default=10, ge=0, le=50, description="Share of clusters in the validation split.")
    test_percent: int = Field(default=10, ge=0, le=50, description="Share of clusters in the test split.")
    vector_index_min_rows: int = Field(
        default=100_000, ge=256, description="Rows of one database from which an approximate vector index is built."
    )
    keep_publications: int = Field(
        default=20, ge=1, description="Publications of the index that are kept to roll back to, besides the live one."
    )
    schedule_timezone: str = Field(default="UTC", description="IANA time zone of the nightly schedule (02:00).")
    partitions_start: str = Field(default="2026-01-01", description="First day (UTC, ISO) of the daily partitions.")
    failure_webhook_url: str | None = Field(
        default=None, description="Where the run-failure sensor posts JSON, if anywhere."
    )
    jwt_secret: SecretStr | None = Field(
        default=None,
        description="Secret of HS256 tokens, at least 32 bytes; default on 127.0.0.1: a generated jwt.key.",
    )
    jwt_jwks_url: str | None = Field(
        default=None, description="Where the public keys of your identity provider lie, instead of a secret."
    )
    jwt_algorithms: str = Field(
        default="RS256,ES256", description="Algorithms accepted with keys from the JWKS URL, separated by commas."
    )
    jwt_issuer: str = Field(default="feedback-pipeline", description="Tokens must name this issuer (iss).")
    jwt_audience: str = Field(default="feedback-pipeline", description="Tokens must name this audience (aud).")
    api_rate_limit: str = Field(
        default="1200/minute", description="Requests one caller may send to the API, such as 20/second."
    )
    api_sign_in_rate_limit: str = Field(
        default="20/minute", description="Sign-ins and refused tokens that one address may send."
    )
    api_max_body_bytes: int = Field(
        default=1024 * 1024, ge=1_024, description="Larger request bodies are refused by the API."
    )
    api_origins: str = Field(
        default="", description="Web origins whose pages may use the widget, such as https://app.example.com, …"
    )
    api_trusted_proxies: str = Field(
        default="",
        description="Addresses or networks of proxies whose X-Forwarded headers are believed, with commas; * for all.",
    )
    api_busy_timeout_s: float = Field(
        default=5.0, gt=0, le=60, description="How long an API request waits for a busy store before it answers 503."
    )
    reservation_minutes: float = Field(
        default=10.0, gt=0, le=1_440, description="How long a reviewer has an item of the queue for themselves."
    )
    reviewers_per_item: int = Field(
        default=1, ge=1, le=9, description="Distinct reviewers who must agree before feedback is verified or rejected."
    )
    slice_bytes: int = Field(
        default=512 * 1024 * 1024, ge=1024 * 1024, description="Memory a retriever holds examples in, in bytes."
    )
    holdback_rate: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="Share of retrievals from which one example is withheld at random, to measure what examples do.",
    )
    sampled_values_per_column: int = Field(
        default=1_000,
        ge=0,
        le=10_000,
        description="Values of each text column of a registered database that questions are masked by; 0 samples none.",
    )
    unsampled_columns: str = Field(
        default="",
        description="Columns never sampled, as patterns of database.table.column such as *.patients.*, with commas.",
    )

    @field_validator("storage_root")
    @classmethod
    def _absolute_when_local(cls, value: str) -> str:
        return value if "://" in value else str(Path(value).expanduser().resolve())

    @field_validator("partitions_start")
    @classmethod
    def _a_day(cls, value: str) -> str:
        return date.fromisoformat(value).isoformat()

    @field_validator("schedule_timezone")
    @classmethod
    def _a_time_zone(cls, value: str) -> str:
        try:
            return ZoneInfo(value).key
        except (ZoneInfoNotFoundError, OSError, ValueError) as error:
            raise ValueError(f"{value!r} is no IANA time zone, such as Europe/Berlin") from error

    @field_validator("api_trusted_proxies")
    @classmethod
    def _addresses(cls, value: str) -> str:
        listed = [item.strip() for item in value.split(",") if item.strip()]
        for item in listed if listed != ["*"] else []:
            try:
                ip_network(item)
            except ValueError as error:
                raise ValueError(f"{item!r} is no address such as 10.0.0.7, no network such as 10.0.0.0/8") from error
        return ",".join(listed)

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the store, with the SQLite default filled in."""
        return self.database_url or f"sqlite:///{self.local_root / 'feedback.db'}"

    @property
    def local_root(self) -> Path:
        """Folder for what must lie on a local disk: SQLite, Dagster's home, generated keys.

        The storage root itself where it is local, else ``data`` below the working directory.
        """
        return Path("data").resolve() if "://" in self.storage_root else Path(self.storage_root)

    def path(self, *parts: str) -> str:
        """Return ``storage_root/part/part…`` as a path or URL."""
        return "/".join([self.storage_root.rstrip("/"), *parts])


def quieten_libraries() -> None:
    """Turn off telemetry (Dagster, Daft, Ray, Hugging Face) and idle chatter, unless the user chose otherwise."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Read the environment once per process. Tests build ``Settings(...)`` themselves instead."""
    quieten_libraries()
    return Settings()
