"""A living corpus: what a retriever finds of items that came after it was indexed."""
