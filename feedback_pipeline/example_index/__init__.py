"""The example index: LanceDB rows that agents retrieve, published by moving the tag ``live``.

Readers see the publication before or after, and nothing between. Every publication keeps a tag of its own, so rolling
back is moving ``live``. Writing is in ``publish``, reading at query time in ``retrieval``; both stand on ``catalog``.
"""
