"""The schemas of the files of a results folder, by the name of their own file."""

from __future__ import annotations

from bench.ablations import runs
from bench.ablations.runs import Drawn, Run
from bench.cells import SCHEMA, Cell
from bench.growth import results as living
from bench.growth.results import Living
from bench.schemas.derived import (
    Schema,
    document,
    parts_of,
    properties_of,
    record,
    reference,
    summary_of,
)
from bench.speed.cells import SPEED_SCHEMA, ProcessRun, SpeedCell, SpeedSpec

_DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_SEAL = {**_DIGEST, "description": "of the rest of the file, written as compact JSON"}


def schemas() -> dict[str, Schema]:
    """File name -> schema."""
    made = (_cell(), _speed(), _speed_run(), _living(), _ablation())
    return {each["$id"]: each for each in made}


def _version(number: int) -> Schema:
    return {"const": number, "description": "the version of this file's form"}


def _cell() -> Schema:
    files = {
        "description": "the files beside it, each with its digest",
        "type": "object",
        "additionalProperties": _DIGEST,
    }
    properties = {**properties_of(Cell), "schema": _version(SCHEMA), "files": files}
    return document(
        f"cell-{SCHEMA}.schema.json",
        "results/<key>/cell.json",
        record(summary_of(Cell), properties),
        *parts_of(Cell),
    )


def _speed() -> Schema:
    properties = {
        **properties_of(SpeedCell),
        "schema": _version(SPEED_SCHEMA),
        "digest": _SEAL,
    }
    return document(
        f"speed-{SPEED_SCHEMA}.schema.json",
        "results/throughput/<key>/cell.json",
        record(summary_of(SpeedCell), properties),
        *parts_of(SpeedCell),
    )


def _speed_run() -> Schema:
    properties = {
        "schema": _version(SPEED_SCHEMA),
        "spec": reference(SpeedSpec),
        "run": reference(ProcessRun),
        "digest": _SEAL,
    }
    return document(
        f"speed-run-{SPEED_SCHEMA}.schema.json",
        "results/throughput/<key>/run-<number>.json",
        record("One fresh process of a result, stored as it ends.", properties),
        SpeedSpec,
        ProcessRun,
    )


def _living() -> Schema:
    properties = {**properties_of(Living), "schema": _version(living.SCHEMA)}
    return document(
        f"living-{living.SCHEMA}.schema.json",
        "results/living/<key>.json",
        record(summary_of(Living), properties),
        *parts_of(Living),
    )


def _ablation() -> Schema:
    kinds = {"table": Run, "figure": Drawn}
    found = [
        record(
            summary_of(kind),
            {"schema": _version(runs.SCHEMA), "kind": {"const": name}, **properties_of(kind)},
        )
        for name, kind in kinds.items()
    ]
    parts = [part for kind in kinds.values() for part in parts_of(kind)]
    return document(
        f"ablation-{runs.SCHEMA}.schema.json",
        "results/ablations/<name>.json",
        {"oneOf": found},
        *parts,
    )
