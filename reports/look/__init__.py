"""Queries with the answers of several retrievers side by side."""
