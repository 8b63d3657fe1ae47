"""The settings of the reranker loop, part of ``settings.Settings``: how ratings are read, when and how to train."""

from typing import Literal

from pydantic import BaseModel, Field, field_validator

CANDIDATES = ("bi_encoder", "cross_encoder", "blend")
"""What can be trained: see ``reranker.candidates``."""


class RerankerSettings(BaseModel):
    """All settings of the reranker loop."""

    reranker_retrieval_reasons: str = Field(
        default="",
        description="Further reason codes of thumbs down that blame the passages, with commas; others do not.",
    )
    reranker_max_passage_chars: int = Field(
        default=20_000, ge=100, description="Longer passages teach the reranker nothing: they are left out."
    )
    reranker_validation_percent: int = Field(
        default=15, ge=0, le=50, description="Share of query clusters that candidates are weighed and chosen on."
    )
    reranker_test_percent: int = Field(
        default=25, ge=0, le=50, description="Share of query clusters no candidate sees: the gate compares on them."
    )
    retrain_triplets: int = Field(
        default=500, ge=1, description="Effective new triplets since the last training that start the next one."
    )
    retrain_min_hours: float = Field(
        default=20.0, ge=0, description="Hours between two trainings of the reranker, at least."
    )
    reranker_candidates: str = Field(
        default=",".join(CANDIDATES), description="What is trained and compared, with commas: " + ", ".join(CANDIDATES)
    )
    reranker_base: str | None = Field(
        default=None,
        description="Cross-encoder to start from, a folder or a Hugging Face name; default: the bundled MiniLM.",
    )
    reranker_device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="Where the reranker is trained; 'auto' takes a GPU where there is one."
    )
    reranker_seed: int = Field(default=13, ge=0, description="Seed of training; the same seed gives the same model.")
    reranker_epochs: int = Field(default=1, ge=1, le=50, description="Passes over the triplets in training.")
    reranker_max_tokens: int = Field(
        default=192, ge=16, le=8_192, description="Tokens of a text that training looks at; longer texts are cut."
    )
    reranker_max_queries: int = Field(
        default=20_000, ge=100, description="Queries one training looks at, the heaviest first; bounds memory and time."
    )
    reranker_min_users: int = Field(
        default=3, ge=1, description="Effective number of users a promotion needs; ratings without user are one's."
    )
    reranker_min_held_out: int = Field(
        default=30, ge=2, description="Effective number of held-out queries, with good and bad passages, to promote."
    )
    keep_models: int = Field(
        default=10, ge=1, description="Newest reranker models whose weights are kept, besides the one in production."
    )

    @field_validator("reranker_candidates")
    @classmethod
    def _known_candidates(cls, value: str) -> str:
        names = list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
        unknown = [name for name in names if name not in CANDIDATES]
        if unknown or not names:
            raise ValueError(f"names {', '.join(unknown) or 'nothing'}; use some of {', '.join(CANDIDATES)}")
        return ",".join(names)

    @property
    def candidate_names(self) -> tuple[str, ...]:
        """What is trained, in order."""
        return tuple(self.reranker_candidates.split(","))
