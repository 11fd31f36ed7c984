"""FAISS itself, which is an extra: its import, its threads and the order of its answers."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from retrievers.base import FloatArray, IntArray


def import_faiss() -> Any:
    """The package. Raises RuntimeError naming the extras where it is not installed."""
    try:
        return importlib.import_module("faiss")
    except ModuleNotFoundError as error:
        raise RuntimeError(
            "FAISS is not installed. Install one of the extras, never both: "
            'pip install -e ".[cpu]" or pip install -e ".[gpu]".'
        ) from error


def use_threads(faiss: Any, threads: int | None) -> None:
    """To be called before each piece of work: OpenMP keeps the number for the calling thread."""
    if threads is not None:
        faiss.omp_set_num_threads(threads)


def ordered(scores: FloatArray, rows: IntArray) -> tuple[FloatArray, IntArray]:
    """Best first, equal scores by the lower row; where nothing was found -1 and -inf, last."""
    scores = np.where(rows < 0, np.float32(-np.inf), scores)
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
