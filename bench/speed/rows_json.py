"""Results of the sweep and its plan as plain values for a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.speed.cells import SpeedCell
from bench.speed.groups import Plan
from bench.speed.ratios import RunsOf, comparison, parts
from bench.speed.runner import Outcome
from bench.speed.store import LeftOutRow


def results_to_json(
    cells: Sequence[SpeedCell],
    outcomes: Sequence[Outcome],
    left_out: Sequence[LeftOutRow],
    plan: Plan,
    runs_of: RunsOf,
) -> dict[str, Any]:
    """Every result with all that is needed to repeat it, and how the rows compare."""
    became = {each.spec.key: each.status for each in outcomes}
    return {
        "cells": [
            {"key": cell.spec.key, "outcome": became.get(cell.spec.key), **asdict(cell)}
            for cell in cells
        ],
        "comparisons": [asdict(comparison(part, runs_of)) for part in parts(cells)],
        "left_out": [asdict(each) for each in left_out],
        "thinned": plan.thinned,
    }


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """What would be measured, with the estimates."""
    return {
        "groups": [asdict(group) for group in plan.groups],
        "thinned": plan.thinned,
        "seconds": plan.seconds,
    }
