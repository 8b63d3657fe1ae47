"""The reranker loop: ratings become triplets, triplets become a better reranker, or nothing changes."""
