"""Cells made by hand for the tests of what reads and writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.cells import Cell, CellSpec, Measure
from bench.directions import ranks_of
from bench.metrics import per_query
from bench.statistics import measures
from retrievers.base import RetrieverSpec

RETRIEVER = RetrieverSpec(
    name="toy",
    paradigm="generative",
    modalities=("image", "video"),
    weights="pretrained",
    licence="MIT",
    checkpoint={"image": "näme/tower"},
    revision={"image": "abc"},
    options={"width": 3, "rate": 0.1, "shared": True, "note": None},
)
SPEC = CellSpec(RETRIEVER, "toys", "own-split", "d1", True, 0, 10, "c1")


def frame(places: Sequence[int]) -> pd.DataFrame:
    """Two queries an item, found at these places without ties; 0 is not found."""
    count = len(places)
    return pd.DataFrame(
        {
            "query": [f"q{row}" for row in range(count)],
            "item": [f"i{row // 2}" for row in range(count)],
            "text": [f"what <b>was</b> \u202e{row}" for row in range(count)],
            "best": np.array(places),
            "worst": np.array(places),
            "right": (np.array(places) > 0).astype(np.int64),
            "ids": [[f"i{row // 2}", "other"] for row in range(count)],
            "scores": [[1.0, 0.5]] * count,
        }
    )


def reverse_frame(places: Sequence[int]) -> pd.DataFrame:
    """One question an item, its first text found at these places without ties."""
    return frame([place for place in places for _ in range(2)])[::2].assign(
        query=[f"i{row}" for row in range(len(places))]
    )


def figures(ranks: pd.DataFrame) -> dict[str, Measure]:
    return measures(per_query(ranks_of(ranks)), list(ranks["item"]))


def done(
    places: Sequence[int],
    *,
    created: str = "2026-01-01",
    reverse: Sequence[int] = (),
    **changes: object,
) -> Cell:
    """A finished cell; with figures of the reverse direction where places for it are given."""
    return Cell(
        spec=replace(SPEC, **changes),
        status="done",
        created=created,
        command="python -m bench.accuracy",
        modality="image",
        media_to_text="any caption",
        metrics=figures(frame(places)),
        reverse=figures(reverse_frame(reverse)) if reverse else {},
        counts={"gallery": 5, "folds": 1, "queries": len(places), "items_asked": len(reverse)},
        seconds={"fit/all": 1.5},
        memory={"peak_bytes": 10},
        diagnostics={"collision ceiling": 0.9},
        machine={"processor": "one"},
        versions={"numpy": "2"},
        revision="abc+changes",
        notes=("a note",),
    )


def failed(*, created: str = "2026-01-01", **changes: object) -> Cell:
    return Cell(
        spec=replace(SPEC, **changes),
        status="failed",
        created=created,
        command="",
        reason="It broke.",
    )
