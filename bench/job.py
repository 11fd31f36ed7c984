"""What the process that computes one cell is told: plain data, sent as one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.cell_json import spec_from_json
from bench.cells import CellSpec
from bench.sources import DatasetSource, source_from_json, source_to_json
from retrievers.base import Settings


@dataclass(frozen=True)
class Provenance:
    """What is recorded with a result and does not decide it; the names are those of ``Cell``."""

    command: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    revision: str


@dataclass(frozen=True)
class Job:
    """One cell to compute.

    retriever  the name that the registry knows it by
    results    the folder of the store
    """

    spec: CellSpec
    retriever: str
    source: DatasetSource
    settings: Settings
    results: Path
    provenance: Provenance


def job_to_json(job: Job) -> str:
    settings = {**asdict(job.settings), "cache": str(job.settings.cache)}
    return json.dumps(
        {
            "spec": asdict(job.spec),
            "retriever": job.retriever,
            "source": source_to_json(job.source),
            "settings": settings,
            "results": str(job.results),
            "provenance": asdict(job.provenance),
        }
    )


def job_from_json(text: str) -> Job:
    found = json.loads(text)
    settings = {**found["settings"], "cache": Path(found["settings"]["cache"])}
    return Job(
        spec=spec_from_json(found["spec"]),
        retriever=found["retriever"],
        source=source_from_json(found["source"]),
        settings=Settings(**settings),
        results=Path(found["results"]),
        provenance=Provenance(**found["provenance"]),
    )
