"""Results on disk: one folder a cell, written whole or not at all.

    results/<key>/cell.json      the cell
    results/<key>/ranks.parquet  a row a query (RANK_COLUMNS)
    results/<key>/examples.json  some queries with their answers (Example)
    results/thumbnails/<digest>.jpg   small pictures that the examples name
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.cells import Cell

RANK_COLUMNS = {
    "query": "the query's id",
    "item": "the id of its (first) right item, the cluster of the bootstrap",
    "text": "the query",
    "best": "rank of the first right item if ties went its way, 0 if not in the top k",
    "worst": "rank of the first right item if ties went against it, 0 if not in the top k",
    "ids": "ids of the top k items, best first",
    "scores": "their scores",
}


@dataclass(frozen=True)
class Hit:
    """One place of an example's ranking; ``thumbnail`` is a file name in results/thumbnails."""

    item: str
    score: float
    thumbnail: str
    right: bool


@dataclass(frozen=True)
class Example:
    """One query, its right item and the top of its ranking; ``rank`` is 0 when not found."""

    query: str
    text: str
    rank: int
    answer: Hit
    top: tuple[Hit, ...]


class ResultStore:
    """Reads and writes the results under ``root``.

    The contract (bodies are in this module):

    write(cell, ranks, examples)   all three at once, through a temporary folder, fsynced, renamed
    get(key) -> Cell | None        None where there is no such cell; a failed cell is returned
    cells() -> list[Cell]          every readable cell, oldest first
    ranks(key) -> DataFrame        RANK_COLUMNS
    examples(key) -> list[Example]
    thumbnail(jpeg) -> str         stores bytes under their digest, returns the file name
    """

    def __init__(self, root: Path) -> None:
        self.root = root
