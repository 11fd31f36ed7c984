"""The stored cells as the rows of a table: one row a retriever and dataset, seeds averaged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from statistics import stdev
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.cells import Cell, Measure
from bench.directions import ranks_of
from bench.metrics import per_query
from bench.published import Beside, beside
from bench.statistics import measures
from bench.store import ResultStore
from retrievers.base import RetrieverSpec

FloatArray = npt.NDArray[np.float64]
RowStatus = Literal["done", "partial", "failed"]


@dataclass(frozen=True)
class Row:
    """One retriever on one dataset under one protocol.

    status      "partial" where some seeds failed and some did not
    reason      why it is not done, a sentence
    metrics     mean over seeds, with the 95 % interval by bootstrap over items of that mean;
                empty unless every seed is done
    seed_sd     standard deviation over seeds, None where there is one seed
    reverse     as ``metrics``, of items that ask for texts; empty too where a seed has none
    reverse_sd  as ``seed_sd``
    cells       one a seed, by seed
    superseded  stored cells of other code, options or data that are not shown
    published   what the paper's tables have of the same thing, or what differs
    """

    dataset: str
    protocol: str
    synthetic: bool
    retriever: RetrieverSpec
    seeds: tuple[int, ...]
    status: RowStatus
    reason: str = ""
    metrics: Mapping[str, Measure] = field(default_factory=dict)
    seed_sd: Mapping[str, float | None] = field(default_factory=dict)
    reverse: Mapping[str, Measure] = field(default_factory=dict)
    reverse_sd: Mapping[str, float | None] = field(default_factory=dict)
    cells: tuple[Cell, ...] = ()
    superseded: int = 0
    published: Beside | None = None

    @property
    def name(self) -> str:
        """The retriever's name, and whether nothing was ever learned by it."""
        untrained = " (untrained)" if self.retriever.weights == "random" else ""
        return f"{self.retriever.name}{untrained}"

    @property
    def captioning(self) -> str:
        """Whether the test items were captioned for it to learn, and by whom; "" where nothing
        is learned of a gallery."""
        options = self.retriever.options
        if "transductive" not in options:
            return ""
        if not options["transductive"]:
            return "test items not captioned"
        by = options.get("captioner")
        return f"test items captioned by {by}" if by else "test items captioned"


def summarise(store: ResultStore) -> list[Row]:
    """Every row that the stored cells make, by dataset, protocol and retriever.

    Cells of one dataset, protocol, retriever and checkpoint that differ only in code, options
    or data are versions of one row: the newest is shown, the others are counted.
    """
    return rows_of(store, store.cells())


def rows_of(store: ResultStore, cells: Iterable[Cell]) -> list[Row]:
    """The rows that some of the stored cells make."""
    rows: dict[tuple[str, ...], list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.created, cell.spec.key)):
        rows.setdefault(_row_of(cell), []).append(cell)
    return [_row(store, rows[name]) for name in sorted(rows)]


def labels(rows: Sequence[Row]) -> list[str]:
    """Names; where a name occurs twice, with the checkpoints' last path components."""

    def told(row: Row, checkpoints: Mapping[str, str]) -> str:
        parts = ", ".join(f"{role}={at}" for role, at in checkpoints.items())
        return f"{row.name} ({parts})" if parts else row.name

    def short(row: Row) -> str:
        named = row.retriever.checkpoint.items()
        return told(row, {role: PurePath(at).name for role, at in named})

    names = Counter(row.name for row in rows)
    shorts = Counter(map(short, rows))
    return [
        row.name
        if names[row.name] == 1
        else short(row)
        if shorts[short(row)] == 1
        else told(row, row.retriever.checkpoint)
        for row in rows
    ]


def _row_of(cell: Cell) -> tuple[str, ...]:
    retriever = cell.spec.retriever
    checkpoint = (f"{role}={value}" for role, value in sorted(retriever.checkpoint.items()))
    untrained = "untrained" if retriever.weights == "random" else ""
    return (cell.spec.dataset, cell.spec.protocol, retriever.name, untrained, *checkpoint)


def _version_of(cell: Cell) -> str:
    """Names what the seeds of one row share: the key of the cell had its seed been 0."""
    return replace(cell.spec, seed=0).key


def _row(store: ResultStore, cells: Sequence[Cell]) -> Row:
    newest = _version_of(cells[-1])
    shown = sorted(
        (cell for cell in cells if _version_of(cell) == newest), key=lambda cell: cell.spec.seed
    )
    failed = [cell for cell in shown if cell.status == "failed"]
    spec = shown[0].spec
    row = Row(
        dataset=spec.dataset,
        protocol=spec.protocol,
        synthetic=spec.synthetic,
        retriever=spec.retriever,
        seeds=tuple(cell.spec.seed for cell in shown),
        status="done",
        cells=tuple(shown),
        superseded=len(cells) - len(shown),
        published=beside(spec),
    )
    if failed:
        reasons = [f"seed {cell.spec.seed}: {cell.reason}" for cell in failed]
        status: RowStatus = "failed" if len(failed) == len(shown) else "partial"
        return replace(row, status=status, reason="; ".join(reasons))
    forward = [cell.metrics for cell in shown]
    backward = [cell.reverse for cell in shown if cell.reverse]
    row = replace(row, metrics=_averaged(forward, shown, store.ranks), seed_sd=_spread(forward))
    if len(backward) < len(shown):
        return row
    reverse = _averaged(backward, shown, store.reverse)
    return replace(row, reverse=reverse, reverse_sd=_spread(backward))


def _averaged(
    stored: Sequence[Mapping[str, Measure]],
    cells: Sequence[Cell],
    frame_of: Callable[[str], pd.DataFrame],
) -> dict[str, Measure]:
    """The mean over seeds of each figure, with the interval of that mean."""
    if len(cells) == 1:
        return dict(stored[0])
    frames = [frame_of(cell.spec.key).sort_values("query", kind="stable") for cell in cells]
    per_seed = [per_query(ranks_of(frame)) for frame in frames]
    return measures(_mean_over_seeds(per_seed), list(frames[0]["item"]))


def _mean_over_seeds(per_seed: Sequence[Mapping[str, FloatArray]]) -> dict[str, FloatArray]:
    return {name: np.mean([each[name] for each in per_seed], axis=0) for name in per_seed[0]}


def _spread(stored: Sequence[Mapping[str, Measure]]) -> dict[str, float | None]:
    if len(stored) == 1:
        return dict.fromkeys(stored[0])
    return {name: stdev(one[name].value for one in stored) for name in stored[0]}
