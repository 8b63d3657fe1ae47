"""The edges people touch: HTTP for products and agents, pages for reviewers, a widget for users.

``app`` puts everything together; ``auth`` says who calls and what they may; ``routes`` are the JSON interface, one
module per concern; ``pages`` is what reviewers see. What is done with a request is decided in the rooms above
(``store``, ``review``, ``retrieval``, ``insight``): here it is only received, permitted and answered.
"""

from feedback_pipeline.api.app import create_app

__all__ = ["create_app"]
