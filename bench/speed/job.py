"""What the two processes of a timed run are told: plain data, sent as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.speed.cells import Scenario
from retrievers.serving.contract import Numbers


@dataclass(frozen=True)
class LoadSettings:
    """How a row is asked.

    outstanding    requests under way at a time in "closed-100", together in "burst-100" and in
                   one call of "batch-100"
    largest_batch  that the front end forms
    wait_ms        that it waits for more, from the first request of a batch
    rate_share     of the capacity measured in "closed-100", at which "open" asks
    latency_ms     a bound: "open" then also looks for the highest rate whose p95 stays within
                   it; 0 where none is looked for
    texts          different ones, asked in a drawn order before any is asked again
    sample         answers given under load that are compared with the row's own reference;
                   fewer where that takes long
    """

    outstanding: int = 100
    largest_batch: int = 100
    wait_ms: float = 2.0
    rate_share: float = 0.7
    latency_ms: float = 0.0
    texts: int = 10_000
    sample: int = 16

    def __post_init__(self) -> None:
        counts = (self.outstanding, self.largest_batch, self.texts)
        if min(*counts, self.sample) < 1:
            raise ValueError("requests, batches, texts and the sample must be at least 1")
        if not 0 < self.rate_share <= 1:
            raise ValueError(f"the share of the capacity must lie in (0, 1], not {self.rate_share}")
        if self.wait_ms < 0 or self.latency_ms < 0:
            raise ValueError("milliseconds must not be negative")


@dataclass(frozen=True)
class SpeedJob:
    """One fresh pair of processes: a row, its gallery, and the scenarios to run in turn.

    row         its name, or "module:Class" in full
    threads     of each numerical library, in the process that answers
    candidates  in the gallery, drawn ``dim`` wide from ``seed``
    seconds     that each scenario is timed for, at least; four times that where it does not
                become steady
    """

    row: str
    device: str
    numbers: Numbers
    threads: int
    cache: Path
    candidates: int
    dim: int
    k: int
    seed: int
    scenarios: tuple[Scenario, ...]
    seconds: float
    load: LoadSettings = LoadSettings()


def speed_job_to_json(job: SpeedJob) -> str:
    return json.dumps({**asdict(job), "cache": str(job.cache)})


def speed_job_from_json(text: str) -> SpeedJob:
    found = json.loads(text)
    told = {
        "cache": Path(found["cache"]),
        "scenarios": tuple(found["scenarios"]),
        "load": LoadSettings(**found["load"]),
    }
    return SpeedJob(**{**found, **told})
