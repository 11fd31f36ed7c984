"""Results of the throughput sweep and the runs that they are pooled from, as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any, get_args

from bench.cell_json import UnknownSchema
from bench.cells import Measure
from bench.files import compact_json_bytes, digest_of
from bench.speed.cells import SPEED_SCHEMA, ProcessRun, SpeedCell, SpeedSpec, SpeedStatus, Window


def cell_to_json(cell: SpeedCell) -> dict[str, Any]:
    return _sealed(asdict(cell))


def cell_from_json(found: Mapping[str, Any]) -> SpeedCell:
    """Raises UnknownSchema, or KeyError, TypeError, ValueError where it is not a cell."""
    _check_schema(found)
    _check_seal(found)
    cell = SpeedCell(**_known(SpeedCell, found))
    if cell.status not in get_args(SpeedStatus):
        raise ValueError(f"its status is {cell.status!r}")
    throughput = found["throughput"]
    return replace(
        cell,
        spec=SpeedSpec(**found["spec"]),
        throughput=None if throughput is None else Measure(**throughput),
        notes=tuple(found["notes"]),
    )


def run_to_json(run: ProcessRun) -> dict[str, Any]:
    return asdict(run)


def run_from_json(found: Mapping[str, Any]) -> ProcessRun:
    """Raises KeyError, TypeError, ValueError where it is not a run."""
    return replace(
        ProcessRun(**_known(ProcessRun, found)),
        windows=tuple(Window(**window) for window in found["windows"]),
        latencies_ms=tuple(found["latencies_ms"]),
    )


def stored_run_to_json(spec: SpeedSpec, run: ProcessRun) -> dict[str, Any]:
    """With what it is a run of, so that the file tells by itself what it holds."""
    content = {"schema": SPEED_SCHEMA, "spec": asdict(spec), "run": run_to_json(run)}
    return _sealed(content)


def stored_run_from_json(found: Mapping[str, Any]) -> tuple[SpeedSpec, ProcessRun]:
    """Raises UnknownSchema, or KeyError, TypeError, ValueError where it is not a stored run."""
    _check_schema(found)
    _check_seal(found)
    return SpeedSpec(**found["spec"]), run_from_json(found["run"])


def _known(kind: type[SpeedCell] | type[ProcessRun], found: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in found.items() if name in names}


def _check_schema(found: Mapping[str, Any]) -> None:
    if found["schema"] != SPEED_SCHEMA:
        raise UnknownSchema(f"its schema is {found['schema']}, this program reads {SPEED_SCHEMA}")


def _sealed(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "digest": digest_of(compact_json_bytes(content))}


def _check_seal(found: Mapping[str, Any]) -> None:
    content = {name: value for name, value in found.items() if name != "digest"}
    if digest_of(compact_json_bytes(content)) != found["digest"]:
        raise ValueError("it is not what was written")
