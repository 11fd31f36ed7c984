"""Vector indexes: exact search in torch and FAISS, and FAISS's approximate ones."""

from retrievers.indexes.approximate import ApproximateIndex
from retrievers.indexes.exact import TorchExact, best_columns, merged, nearest, whole_tiles
from retrievers.indexes.faiss_flat import FaissFlat

__all__ = [
    "ApproximateIndex",
    "FaissFlat",
    "TorchExact",
    "best_columns",
    "merged",
    "nearest",
    "whole_tiles",
]
