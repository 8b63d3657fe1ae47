"""The reranker loop: ratings become triplets, triplets become a better reranker, or nothing changes.

Example:
    >>> reranker = Reranker.open("production")
    >>> reranker.rank("how long does a refund take", passages)
    [{'corpus_id': 2, 'score': 1.93}, {'corpus_id': 0, 'score': 0.41}, {'corpus_id': 1, 'score': -0.77}]

"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feedback_pipeline.reranker.serving import Reranker

__all__ = ["Reranker"]


def __getattr__(name: str) -> Any:
    """Import what is exported when it is asked for: who makes triplets serves no model."""
    if name == "Reranker":
        from feedback_pipeline.reranker.serving import Reranker

        return Reranker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
