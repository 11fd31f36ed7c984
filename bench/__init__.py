"""The harness: puts the same questions to every retriever and keeps the answers."""
