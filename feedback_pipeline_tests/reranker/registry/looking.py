"""What a registry says."""

from feedback_pipeline.reranker.registry import ModelRegistry


def in_production(registry: ModelRegistry) -> int | None:
    model = registry.production()
    return model.version if model else None
