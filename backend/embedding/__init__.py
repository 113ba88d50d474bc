"""From major records to an answerable question: embedding, index, retrieval."""
