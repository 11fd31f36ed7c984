"""Rows of accuracy, and what became of a run's cells, as plain values for a JSON document.

Figures are fractions of 1; a ``sd`` is the standard deviation over seeds, null for one seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.cells import Cell, Measure
from bench.left_out import grouped
from bench.plan import Planned
from bench.runner import Outcome, left_out_of, skipped
from bench.summary import Row, labels


def results_to_json(outcomes: Sequence[Outcome], rows: Sequence[Row]) -> dict[str, Any]:
    """What a run did, what it found, and what it left out with the reasons."""
    return {
        "cells": [outcome_to_json(each) for each in outcomes if each.status != "skipped"],
        "rows": rows_to_json(rows),
        "left_out": [asdict(each) for each in grouped(skipped(outcomes))],
    }


def plan_to_json(planned: Sequence[Planned]) -> dict[str, Any]:
    """What a run would do."""
    passed_over = [cell for cell in planned if cell.action == "skip"]
    return {
        "cells": [
            {**_planned(cell), "action": cell.action, "reason": cell.reason}
            for cell in planned
            if cell.action != "skip"
        ],
        "left_out": [asdict(each) for each in grouped(map(left_out_of, passed_over))],
    }


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """One cell of a run; ``key`` names the folder of its result."""
    return {
        **_planned(outcome.planned),
        "status": outcome.status,
        "reason": outcome.reason,
        "seconds": outcome.seconds,
    }


def _planned(cell: Planned) -> dict[str, Any]:
    return {
        "dataset": cell.dataset,
        "protocol": cell.protocol,
        "retriever": cell.retriever,
        "seed": cell.seed,
        "key": cell.spec.key if cell.spec else None,
    }


def rows_to_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every row with its figures and all that is needed to repeat it."""
    return [_row(label, row) for label, row in zip(labels(rows), rows, strict=True)]


def _row(label: str, row: Row) -> dict[str, Any]:
    modality = next((cell.modality for cell in row.cells if cell.modality), None)
    return {
        "label": label,
        "dataset": row.dataset,
        "protocol": row.protocol,
        "synthetic": row.synthetic,
        "modality": modality,
        "retriever": asdict(row.retriever),
        "captioning": row.captioning,
        "status": row.status,
        "reason": row.reason,
        "seeds": row.seeds,
        "text_to_media": measures_to_json(row.metrics, row.seed_sd),
        "media_to_text": measures_to_json(row.reverse, row.reverse_sd),
        "published": asdict(row.published) if row.published else None,
        "superseded": row.superseded,
        "cells": [_cell(cell) for cell in row.cells],
    }


def measures_to_json(
    measures: Mapping[str, Measure], spread: Mapping[str, float | None]
) -> dict[str, Any]:
    """Metric -> value, bounds of its 95 % interval and spread."""
    return {name: {**asdict(each), "sd": spread.get(name)} for name, each in measures.items()}


def _cell(cell: Cell) -> dict[str, Any]:
    """One seed: what its row does not tell already."""
    spec = cell.spec
    told = {name: value for name, value in asdict(cell).items() if name != "spec"}
    decided = {"seed": spec.seed, "k": spec.k, "code": spec.code}
    return {"key": spec.key, **decided, "dataset_digest": spec.dataset_digest, **told}
