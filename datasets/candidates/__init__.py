"""Candidates that are drawn, not found: galleries of any size for measuring speed."""

from datasets.candidates.drawn import CandidateSet, drawn
from datasets.candidates.texts import query_texts

__all__ = ["CandidateSet", "drawn", "query_texts"]
