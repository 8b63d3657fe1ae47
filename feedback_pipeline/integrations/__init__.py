"""Verified corrections inside the frameworks agents are built with: LangChain, LlamaIndex and MCP.

One module per framework, a few lines over whatever finds examples: a ``Retriever`` in the same process, or a
``FeedbackClient``. Each needs its extra (``pip install 'feedback-pipeline[langchain]'``); importing this package loads
no framework. In all of them an index that is missing or broken gives no examples and one warning, never an exception.

Example:
    >>> from feedback_pipeline.integrations.langchain import CorrectionSelector
    >>> selector = CorrectionSelector(Retriever.open(), database_id="shop")

"""

from feedback_pipeline.integrations.extras import MissingExtraError
from feedback_pipeline.integrations.finding import FindsExamples, Found, FoundExample

__all__ = ["FindsExamples", "Found", "FoundExample", "MissingExtraError"]
