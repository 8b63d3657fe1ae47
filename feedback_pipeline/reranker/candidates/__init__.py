"""What can be trained: a fine-tuned bi-encoder, a cross-encoder, and a calibrated combination of light scores.

Each writes a model folder (``reranker.scoring``). Importing this loads no torch; training does.
"""
