"""What a reranker says of passages: reading a model folder, and its parts on ONNX Runtime or torch.

A model folder holds ``model.json`` and a folder for each part::

    model.json            name, parts with their place in the sum, tokens that are looked at
    base/, bi_encoder/    onnx/ (serving), torch/ (a sentence-transformers folder)
    cross_encoder/        onnx/, torch/ (saved by CrossEncoder.save_pretrained)
    bm25/bm25.json        what BM25 knows of the passages
    (length               has no folder: it only counts)

``score(query, passage) = Σ coefficient · (part score − mean) / scale``. Importing this loads neither torch nor ONNX
Runtime; ``open_scorer`` loads what its backend needs.
"""

from feedback_pipeline.reranker.scoring.blend import BlendScorer, PartScorer, Scorer
from feedback_pipeline.reranker.scoring.bm25 import Bm25, Bm25Statistics
from feedback_pipeline.reranker.scoring.folder import ModelFolder, ModelFolderError, PartSpec
from feedback_pipeline.reranker.scoring.opening import Backend, open_part, open_scorer

__all__ = [
    "Backend",
    "BlendScorer",
    "Bm25",
    "Bm25Statistics",
    "ModelFolder",
    "ModelFolderError",
    "PartScorer",
    "PartSpec",
    "Scorer",
    "open_part",
    "open_scorer",
]
