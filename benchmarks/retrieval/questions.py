"""Question to examples: a real Retriever beside sentence-transformers with LanceDB, and LangChain's selectors."""

from typing import Any

from benchmarks.retrieval import langchain_peers
from benchmarks.retrieval.results import Durations, Goal, Result, in_turns, p50, p95, timed
from benchmarks.retrieval.world import World
from feedback_pipeline.curation.encoder import load_model
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.retrieval import Retriever

_QUESTIONS, _WARM = 150, 15
PLAIN = "sentence-transformers + LanceDB"
CHROMA, FAISS = "LangChain, Chroma", "LangChain, FAISS"


def measure(world: World) -> Result:
    """Ask new questions in turns, so that no cache of vectors helps; the cached case apart."""
    retriever, model = Retriever(world.root), load_model("bundled")

    def ours(question: str, database_id: str) -> object:
        return retriever.similar(question, database_id=database_id, k=3, min_score=-1)

    ways = {
        "ours": ours,
        PLAIN: _plain(world, model),
        CHROMA: langchain_peers.with_chroma(world, model),
        FAISS: langchain_peers.with_faiss(world, model),
    }
    in_turns(ways, world.fresh_questions(_WARM, first=0))
    seconds = in_turns(ways, world.fresh_questions(_QUESTIONS, first=_WARM))
    again = list(world.fresh_questions(_QUESTIONS, first=_WARM))
    seconds["ours, asked before"] = [timed(ours, *question) for question in again]
    note = "LangChain's stores hold only the databases asked, one each, which favours them"
    return Result("question to examples, one database, top 3", seconds, _goals(seconds), [note])


def _plain(world: World, model: Any) -> langchain_peers.Ask:
    table = IndexCatalog(world.root).open_table()

    def ask(question: str, database_id: str) -> object:
        vector = model.encode(question, normalize_embeddings=True)
        query = table.search(vector, vector_column_name="vector").where(f"database_id = '{database_id}'").limit(3)
        return query.select(["example_id", "natural_query", "sql", "_distance"]).to_list()

    return ask


def _goals(seconds: Durations) -> list[Goal]:
    ours = seconds["ours"]
    return [
        Goal(f"ours / {PLAIN}", p50(ours) / p50(seconds[PLAIN]), 0.35),
        Goal(f"ours / {CHROMA}", p50(ours) / p50(seconds[CHROMA]), 0.5),
        Goal(f"ours / {FAISS}", p50(ours) / p50(seconds[FAISS]), 0.5),
        Goal("p95 / p50 of ours", p95(ours) / p50(ours), 2.0),
    ]
