"""What a dataset asks, as two lists for systems that run elsewhere."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from datasets.base import Dataset

ITEMS, QUERIES = "items.csv", "queries.csv"


def write_questions(dataset: Dataset, folder: Path) -> None:
    """Write ``items.csv`` (id, path) and ``queries.csv`` (id, text), in the dataset's order."""
    folder.mkdir(parents=True, exist_ok=True)
    items = ((item.id, str(item.media)) for item in dataset.gallery)
    queries = ((query.id, query.text) for query in dataset.queries)
    _write(folder / ITEMS, ("id", "path"), items)
    _write(folder / QUERIES, ("id", "text"), queries)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(header)
        lines.writerows(rows)
