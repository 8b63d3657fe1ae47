"""Small encoders for tests that need vectors and no model of 90 MB."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import tokenizers

from feedback_pipeline.example_index.query_encoder import QueryEncoder, encoder_folder


class HashEncoder:
    """An Encoder whose vectors follow from the text's SHA-256: equal texts are equal, others are far apart.

    Attributes:
        seen: all texts it was given.
        fails_after: raises ConnectionError once that many texts were seen.
        answer: given instead of vectors, if set.

    """

    def __init__(self, dimension: int = 8, fingerprint: str = "hash"):
        self.dimension = dimension
        self.fingerprint = fingerprint
        self.seen: list[str] = []
        self.fails_after: int | None = None
        self.answer: np.ndarray | None = None

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return float32 unit vectors of shape (len(texts), dimension)."""
        self.seen += texts
        if self.fails_after is not None and len(self.seen) > self.fails_after:
            raise ConnectionError("the model went away")
        if self.answer is not None:
            return self.answer
        return np.array([self._vector(text) for text in texts], np.float32).reshape(len(texts), self.dimension)

    def _vector(self, text: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        vector = np.random.default_rng(seed).normal(size=self.dimension)
        return vector / np.linalg.norm(vector)


class TinyEncoder:
    """A real ONNX encoder of a few words, published below a storage root like any other: open it as QueryEncoder too.

    A text's vector is the normalised sum of its words' vectors; words it does not know count as one and the same.
    """

    def __init__(self, root: str, fingerprint: str = "tiny", dimension: int = 16):
        self.fingerprint = fingerprint
        self.dimension = dimension
        folder = Path(encoder_folder(root, fingerprint))
        folder.mkdir(parents=True, exist_ok=True)
        _write_tokenizer(folder / "tokenizer.json")
        _write_model(folder / "model.onnx", dimension, seed=len(fingerprint))
        facts = {"dimension": dimension, "fingerprint": fingerprint, "max_tokens": 64}
        (folder / "encoder.json").write_text(json.dumps(facts))
        self._query_encoder = QueryEncoder(folder)

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return float32 unit vectors of shape (len(texts), dimension)."""
        vectors = [self._query_encoder.encode(text) for text in texts]
        return np.array(vectors, np.float32).reshape(len(texts), self.dimension)


_WORDS = ["[UNK]", "question", "ships", "tea", "cost", "how", "many", "of", *(str(number) for number in range(200))]


def _write_tokenizer(path: Path) -> None:
    model = tokenizers.models.WordLevel({word: number for number, word in enumerate(_WORDS)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(path))


def _write_model(path: Path, dimension: int, seed: int) -> None:
    words = np.random.default_rng(seed).normal(size=(len(_WORDS), dimension)).astype(np.float32)
    ids, mask = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["n", "t"])
        for name in ("input_ids", "attention_mask")
    )
    vector = onnx.helper.make_tensor_value_info("unit_vector", onnx.TensorProto.FLOAT, ["n", dimension])
    steps = [
        onnx.helper.make_node("Gather", ["words", "input_ids"], ["found"]),
        onnx.helper.make_node("Cast", ["attention_mask"], ["weights"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Unsqueeze", ["weights", "last"], ["weight_columns"]),
        onnx.helper.make_node("Mul", ["found", "weight_columns"], ["counted"]),
        onnx.helper.make_node("ReduceSum", ["counted", "axis"], ["sum"], keepdims=0),
        onnx.helper.make_node("LpNormalization", ["sum"], ["unit_vector"], axis=1, p=2),
    ]
    constants = [
        onnx.numpy_helper.from_array(words, "words"),
        onnx.numpy_helper.from_array(np.array([1]), "axis"),
        onnx.numpy_helper.from_array(np.array([2]), "last"),
    ]
    graph = onnx.helper.make_graph(steps, "tiny", [ids, mask], [vector], constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
