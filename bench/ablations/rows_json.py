"""Tables of the ablations as plain values for a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.ablations import wording
from bench.ablations.evidence import Evidence
from bench.ablations.maps import MapOutcome
from bench.ablations.tables import ABLATIONS
from bench.metrics import METRIC_NAMES
from bench.rows_json import outcome_to_json
from bench.runner import Outcome


def results_to_json(
    outcomes: Sequence[Outcome], tables: Sequence[Evidence], drawn: Sequence[MapOutcome]
) -> dict[str, Any]:
    """What a run did and found: measured figures are fractions of 1, published ones per cent."""
    return {
        "cells": [outcome_to_json(each) for each in outcomes],
        "tables": [_table(each) for each in tables],
        "figures": [asdict(each) for each in drawn],
    }


def _table(found: Evidence) -> dict[str, Any]:
    run = found.run
    return {
        "title": wording.title(found),
        "table": run.table,
        "of": asdict(run.of),
        "published_of": run.published,
        "whole": found.ablation.whole,
        "rows": [
            {**asdict(row), "keys": told.keys}
            for row, told in zip(found.rows, run.rows, strict=True)
        ],
        "best": {metric: asdict(each) for metric, each in found.best.items()},
        "directions": {metric: found.tally(metric) for metric in METRIC_NAMES},
        "remarks": list(wording.remarks(found)),
    }


def tables_to_json() -> dict[str, Any]:
    """The tables that there are, with the changes of their rows."""
    return {"tables": [asdict(each) for each in ABLATIONS]}
