"""A sentence-transformers model as an ONNX file: how the query encoder and the parts of a reranker are exported."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""What a model of texts may take, each int64 of shape (texts, tokens); the last is for models that know pairs."""


def export_onnx(
    steps: Iterable[torch.nn.Module],
    result: Callable[[dict[str, Any]], torch.Tensor],
    path: Path,
    *,
    inputs: Sequence[str],
    output: str,
) -> None:
    """Write a model for any number of texts of any length; its weights come to lie beside it, in ``<path>.data``.

    Args:
        steps: modules of a sentence-transformers model, run in a row on one dictionary of features.
        result: takes what the model gives out of the features.
        path: the file.
        inputs: the first two of INPUTS, or all three.
        output: the name of what the model gives.

    """
    import torch

    class Steps(torch.nn.Module):
        """All modules in a row, on tensors with names of their own: the exporter knows arguments by name."""

        def __init__(self) -> None:
            super().__init__()
            self.steps = torch.nn.ModuleList(steps)

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
        ) -> torch.Tensor:
            given = zip(INPUTS, (input_ids, attention_mask, token_type_ids), strict=True)
            features: dict[str, Any] = {name: tensor for name, tensor in given if tensor is not None}
            for step in self.steps:
                features = step(features)
            return result(features)

    # A tensor for each: given one tensor for all, the exporter takes the inputs for the same thing.
    samples = tuple(torch.ones((2, 8), dtype=torch.int64) for _ in inputs)
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # The exporter warns of its own inner workings, which no user can change.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Steps().eval(),
            samples,
            str(path),
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=tuple(free for _ in inputs),
            dynamo=True,
            external_data=True,
            verbose=False,
        )


def unit_vectors(features: dict[str, Any]) -> torch.Tensor:
    """Take the vectors of texts out of the features, each brought to length 1."""
    import torch

    return torch.nn.functional.normalize(features["sentence_embedding"], p=2, dim=1)
