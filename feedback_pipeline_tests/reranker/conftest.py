"""An object store to keep models on."""

from feedback_pipeline_tests.finetune.conftest import bucket

__all__ = ["bucket"]
