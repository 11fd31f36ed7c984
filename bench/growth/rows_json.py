"""Rows of the living corpus, and what became of a run's cells, as plain values for a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.growth.results import Living
from bench.growth.running import Asked, Outcome
from bench.growth.summary import LivingRow


def results_to_json(outcomes: Sequence[Outcome], rows: Sequence[LivingRow]) -> dict[str, Any]:
    """What a run did, and what it found; figures are fractions of 1."""
    return {
        "cells": [
            {**_planned(each.asked), "status": each.status, "reason": each.reason}
            for each in outcomes
        ],
        "rows": [_row(row) for row in rows],
    }


def plan_to_json(cells: Sequence[Asked]) -> dict[str, Any]:
    """What a run would do."""
    return {"cells": [{**_planned(cell), "state": cell.state} for cell in cells]}


def _planned(cell: Asked) -> dict[str, Any]:
    planned = cell.planned
    return {
        "dataset": planned.dataset,
        "protocol": planned.protocol,
        "retriever": planned.retriever,
        "seed": planned.seed,
        "key": cell.spec.key if cell.spec else None,
    }


def _row(row: LivingRow) -> dict[str, Any]:
    told = {name: value for name, value in asdict(row).items() if name != "results"}
    return {**told, "cells": [_cell(result) for result in row.results]}


def _cell(result: Living) -> dict[str, Any]:
    """What is needed to repeat one result."""
    return {
        "key": result.spec.key,
        "spec": asdict(result.spec),
        "created": result.created,
        "command": result.command,
        "machine": result.machine,
        "versions": result.versions,
        "revision": result.revision,
    }
