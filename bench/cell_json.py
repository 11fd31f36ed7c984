"""Cells as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from bench.cells import SCHEMA, Cell, CellSpec, Measure
from retrievers.base import RetrieverSpec


class UnknownSchema(Exception):
    """A cell written by another version of this program, whole but not readable here."""


def cell_to_json(cell: Cell) -> dict[str, Any]:
    return asdict(cell)


def spec_from_json(found: Mapping[str, Any]) -> CellSpec:
    retriever = RetrieverSpec(
        **{**found["retriever"], "modalities": tuple(found["retriever"]["modalities"])}
    )
    return CellSpec(**{**found, "retriever": retriever})


def cell_from_json(found: Mapping[str, Any]) -> Cell:
    """Raises UnknownSchema, or KeyError, TypeError, ValueError where it is not a cell."""
    if found["schema"] != SCHEMA:
        raise UnknownSchema(f"its schema is {found['schema']}, this program reads {SCHEMA}")
    known = {field.name for field in fields(Cell)}
    cell = Cell(**{name: value for name, value in found.items() if name in known})
    if cell.status not in ("done", "failed"):
        raise ValueError(f"its status is {cell.status!r}")
    return replace(
        cell,
        spec=spec_from_json(found["spec"]),
        metrics=_measures(found["metrics"]),
        reverse=_measures(found["reverse"]),
        pace=_measures(found["pace"]),
        notes=tuple(found["notes"]),
    )


def _measures(found: Mapping[str, Any]) -> dict[str, Measure]:
    return {name: Measure(**measure) for name, measure in found.items()}
