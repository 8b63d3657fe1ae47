"""The only reader of the environment: every knob, its default and what it means.

Variables are named ``FEEDBACK_<FIELD>`` and may stand in a ``.env`` file. All have defaults, so nothing needs setting
to try the project on one machine.
"""

import base64
import binascii
import os
import re
from datetime import date
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from feedback_pipeline.reranker_settings import RerankerSettings

LIBRARY_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "DAFT_ANALYTICS_ENABLED": "0",
    "DAFT_PROGRESS_BAR": "0",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "SCARF_NO_ANALYTICS": "true",
    "LANCEDB_LOG": "error",
    "TOKENIZERS_PARALLELISM": "false",
    # Threads of torch that wait for each other sleep: spinning, they starve whom they wait for beside other work.
    "OMP_WAIT_POLICY": "PASSIVE",
}


class Settings(RerankerSettings, BaseSettings):
    """All settings of one deployment."""

    model_config = SettingsConfigDict(
        env_prefix="FEEDBACK_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

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
    group_across_databases: bool = Field(
        default=True, description="Near-duplicate questions share a split even where they are about two databases."
    )
    dataset_min_weight: float = Field(
        default=0.0, ge=0, description="Examples that weigh less are left out of datasets; the index keeps them."
    )
    dataset_min_evidence: Literal["parsed", "resolved", "executed"] = Field(
        default="parsed", description="How far an answer must have been proven to get into a dataset."
    )
    dataset_max_question_chars: int = Field(
        default=0, ge=0, description="Examples with longer questions are left out of datasets; 0 takes all."
    )
    dataset_max_rows_per_user: int = Field(
        default=10_000, ge=0, description="Dataset rows that only one user stands behind, per user; 0 takes all."
    )
    prompt_templates: str | None = Field(
        default=None,
        description="Folder of the prompt templates of datasets; default: those that come with the package.",
    )
    prompt_schema_chars: int = Field(
        default=6_000, ge=100, le=50_000, description="Longer database schemas are pruned in the prompts of datasets."
    )
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

    keep_dataset_versions: int = Field(
        default=30,
        ge=0,
        description="Newest versions of each dataset whose data is kept, beside pinned ones; 0 keeps all.",
    )
    release_webhook_urls: SecretStr = Field(
        default=SecretStr(""), description="Where new dataset versions are posted as JSON, separated by commas."
    )
    release_webhook_secret: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="Secret those posts are signed with: whsec_ and 24 or more random bytes in base64.",
    )
    hub_dataset_repo: str | None = Field(
        default=None, description="Hugging Face repository new dataset versions are pushed to, such as org/{name}."
    )
    hub_token: SecretStr | None = Field(default=None, description="Token with write access to that repository.")
    hub_private: bool = Field(default=True, description="Whether that repository has to be private.")

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

    @field_validator("release_webhook_urls")
    @classmethod
    def _web_addresses(cls, value: SecretStr) -> SecretStr:
        listed = [item.strip() for item in value.get_secret_value().split(",") if item.strip()]
        for number, item in enumerate(listed, 1):
            if not _is_web_address(item):
                # The address itself may hold a password, so it is not repeated.
                raise ValueError(f"item {number} is no address such as https://example.com/hook")
        return SecretStr(",".join(dict.fromkeys(listed)))

    @field_validator("release_webhook_secret")
    @classmethod
    def _a_signing_secret(cls, value: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        urls = others.data.get("release_webhook_urls")
        if value is None or not value.get_secret_value():
            if urls and urls.get_secret_value():
                raise ValueError("is needed with FEEDBACK_RELEASE_WEBHOOK_URLS; make one: openssl rand -base64 32")
            return None
        if _decoded_length(value.get_secret_value().removeprefix("whsec_")) < 24:
            raise ValueError("is not 24 or more bytes in base64, with or without whsec_; openssl rand -base64 32")
        return value

    @field_validator("hub_dataset_repo")
    @classmethod
    def _a_repository(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"[\w.-]+/[\w.-]*\{name\}[\w.-]*", value):
            raise ValueError("is not like org/{name}, where {name} stands for the name of the dataset")
        return value or None

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


def _is_web_address(text: str) -> bool:
    try:
        address = urlsplit(text)
        return address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        return False


def _decoded_length(text: str) -> int:
    """Return how many bytes a text in base64 stands for, 0 where it is none."""
    try:
        return len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        return 0


def set_library_defaults() -> None:
    """Turn off telemetry (Dagster, Daft, Ray, Hugging Face), idle chatter and busy waiting; what the user set stays.

    Libraries read this when they are imported. Sources: their documentation; OpenMP 5.2, 21.1.9 (OMP_WAIT_POLICY).
    """
    for name, value in LIBRARY_DEFAULTS.items():
        os.environ.setdefault(name, value)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Read the environment once per process. Tests build ``Settings(...)`` themselves instead."""
    set_library_defaults()
    return Settings()
