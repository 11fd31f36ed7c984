"""The blocks of controls and ceilings of each section of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.controls import METRICS, blocks
from bench.store import ResultStore
from reports.comparison import Section


def context(parts: Sequence[Section], store: ResultStore) -> dict[str, Any]:
    """What the template wants: the section's anchor -> its blocks."""
    return {
        "controls": {
            part.anchor: blocks([line.row for line in part.lines], store) for part in parts
        },
        "control_metrics": METRICS,
    }
