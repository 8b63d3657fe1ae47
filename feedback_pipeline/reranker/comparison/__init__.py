"""What rerankers are compared by: held-out lists, figures of one list, pictures of the gains."""
