"""The harness: puts the same questions to every retriever and keeps the answers."""

from bench.checkout import require_own_datasets

require_own_datasets()
