"""Query time: similar corrections for a question, in milliseconds, in the agent's own process.

Importing this needs neither Dagster, torch nor pandas; LanceDB loads when a retriever opens.

Example:
    >>> retriever = Retriever.open()
    >>> examples = retriever.similar("orders from Berlin", database_id="shop", k=3)
    >>> prompt = prompt_context(examples)

"""

from feedback_pipeline.retrieval.example import Example, RetrievalResult
from feedback_pipeline.retrieval.influence import InfluenceRecorder
from feedback_pipeline.retrieval.prompt import prompt_context
from feedback_pipeline.retrieval.retriever import Retriever

__all__ = ["Example", "InfluenceRecorder", "RetrievalResult", "Retriever", "prompt_context"]
