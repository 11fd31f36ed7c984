"""A comparison as one JSON document, for programs and for the page (schema.json beside this)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bench.comparing import wording
from bench.comparing.outcome import Comparison
from bench.comparing.sides import Side
from bench.comparing.speed import SpeedCompared
from bench.comparing.verdicts import Change, Compared

SCHEMA = 1


def document(found: Comparison) -> dict[str, Any]:
    """Figures are fractions of 1, queries a second or ratios; B is ``after``."""
    return {
        "schema": SCHEMA,
        "kind": "comparison",
        "status": found.status,
        "summary": list(wording.summary(found)),
        "before": _side(found.before),
        "after": _side(found.after),
        "versions": {
            package: {"before": list(before), "after": list(after)}
            for package, (before, after) in found.differing_versions.items()
        },
        "metrics": list(found.metrics),
        "tolerance": found.tolerance,
        "with_speed": found.with_speed,
        "rows": [
            _row(name, one) for name, one in zip(wording.names(found.rows), found.rows, strict=True)
        ],
        "speed": [_speed(one) for one in found.speed],
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "label": side.label,
        "results": len(side.cells) + len(side.sweeps),
        "revisions": list(side.revisions),
        "first": side.first,
        "last": side.last,
    }


def _row(name: str, one: Compared) -> dict[str, Any]:
    return {
        "dataset": one.row.dataset,
        "protocol": one.row.protocol,
        "direction": one.direction,
        "synthetic": one.row.synthetic,
        "label": name,
        "retriever": one.row.retriever.name,
        "checkpoint": dict(one.row.retriever.checkpoint),
        "untrained": one.row.retriever.weights == "random",
        "verdict": one.verdict,
        "reason": one.reason,
        "remarks": list(one.remarks),
        "queries": one.queries,
        "items": one.items,
        "changes": [_change(change) for change in one.changes],
        "differences": {metric: asdict(measure) for metric, measure in one.apart.items()},
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "metric": change.metric,
        "before": change.before,
        "after": change.after,
        "difference": asdict(change.apart),
        "p": change.p,
        "adjusted_p": change.adjusted,
        "detectable": change.detectable,
        "verdict": change.verdict,
    }


def _speed(one: SpeedCompared) -> dict[str, Any]:
    return {**asdict(one), "place": wording.part(one)}
