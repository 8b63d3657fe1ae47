"""LangChain's SemanticSimilarityExampleSelector over Chroma and over FAISS, with the bundled model.

Each holds one store per database that is asked, which is the quickest they can be: nothing is filtered.
"""

from collections.abc import Callable
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.example_selectors import SemanticSimilarityExampleSelector

from benchmarks.retrieval.world import World

Ask = Callable[[str, str], object]
_ROWS_AT_ONCE = 5_000


class ModelEmbeddings(Embeddings):
    """A sentence-transformers model as LangChain wants it."""

    def __init__(self, model: Any):
        self._model = model

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one vector per text."""
        return self._model.encode(texts, normalize_embeddings=True).tolist()

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a question."""
        return self._model.encode(text, normalize_embeddings=True).tolist()


def with_faiss(world: World, model: Any) -> Ask:
    """Return a way to ask selectors over FAISS' flat index."""
    from langchain_community.vectorstores import FAISS  # pyright: ignore[reportMissingImports]

    stores = {}
    for name in world.asked:
        vectors, ids = world.vectors_of(name)
        pairs = [(example_id, vector.tolist()) for example_id, vector in zip(ids, vectors, strict=True)]
        stores[name] = FAISS.from_embeddings(pairs, ModelEmbeddings(model), [{"example_id": i} for i in ids])
    return _asking(stores)


def with_chroma(world: World, model: Any) -> Ask:
    """Return a way to ask selectors over Chroma, in memory."""
    import chromadb  # pyright: ignore[reportMissingImports]
    from chromadb.config import Settings  # pyright: ignore[reportMissingImports]
    from langchain_chroma import Chroma  # pyright: ignore[reportMissingImports]

    client = chromadb.EphemeralClient(Settings(anonymized_telemetry=False))
    stores = {}
    for name in world.asked:
        vectors, ids = world.vectors_of(name)
        collection = client.create_collection(name, metadata={"hnsw:space": "cosine"})
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            known: Any = [{"example_id": example_id} for example_id in ids[some]]
            collection.add(ids=ids[some], embeddings=vectors[some], documents=ids[some], metadatas=known)
        stores[name] = Chroma(name, ModelEmbeddings(model), client=client)
    return _asking(stores)


def _asking(stores: dict[str, Any]) -> Ask:
    selectors = {name: SemanticSimilarityExampleSelector(vectorstore=store, k=3) for name, store in stores.items()}

    def ask(question: str, database_id: str) -> object:
        return selectors[database_id].select_examples({"question": question})

    return ask
