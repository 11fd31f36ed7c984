"""What one result of the throughput sweep is, and its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench.cells import Measure
from bench.spec_key import spec_key

SPEED_SCHEMA = 1

# The row that answers without work, by which what asks is measured.
NOTHING = "null"

Scenario = Literal["closed-100", "burst-100", "open", "batch-100"]
SpeedStatus = Literal["done", "failed"]
Scalar = str | int | float | bool


@dataclass(frozen=True)
class SpeedSpec:
    """Everything that decides a result, the machine included.

    row         its name, as "clip:paper"
    options     what the row says of itself before it is built
    load        the scenario's own settings: "outstanding", "largest_batch", "wait_ms",
                "rate_share", ...
    candidates  in the gallery
    dim         of the drawn vectors
    repeats     fresh processes
    host        digest of what of the machine decides speed
    code        digest of the source that computes it
    """

    row: str
    options: Mapping[str, Scalar]
    scenario: Scenario
    load: Mapping[str, Scalar]
    candidates: int
    dim: int
    k: int
    device: str
    numbers: str
    threads: int
    repeats: int
    seconds: float
    seed: int
    host: str
    code: str

    @property
    def key(self) -> str:
        """32 hexadecimal digits naming the folder of this result."""
        return spec_key(self)


@dataclass(frozen=True)
class Window:
    """A stretch of a timed run: completions between two instants, seconds since the start."""

    begin: float
    end: float
    completed: int


@dataclass(frozen=True)
class ProcessRun:
    """One fresh process's timed run.

    windows       of the steady part, consecutive; for "burst-100" and "batch-100" one a round
    steady        whether the last three windows lie within 10 % of their mean
    latencies_ms  of the steady part, from the intended start in "open", at most 20,000 of them
    completed     queries answered in the steady part
    warm_up       queries answered before it
    batches       batch sizes that the front end formed -> how often
    seconds       phase -> seconds of the row's own clock in the steady part, and "front end"
                  for what of the time a query was in the server's hands outside the row
    part          see ``retrievers.serving.contract.Answered``
    build         phase -> seconds
    facts         what the row told of its choices, and when it was built
    memory        "gallery_bytes", "model_bytes", "peak_bytes" of the serving process, and on an
                  accelerator "accelerator_peak_bytes"
    checked       answers compared with the row's own reference
    agreement     mean share of the reference's first k that they held
    generator_qps the load generator's own ceiling against a row that does nothing
    offered_qps   in "open", the rate at which requests were due
    """

    windows: tuple[Window, ...]
    steady: bool
    latencies_ms: tuple[float, ...]
    completed: int
    warm_up: int
    batches: Mapping[str, int]
    seconds: Mapping[str, float]
    part: float
    build: Mapping[str, float]
    facts: Mapping[str, Scalar]
    memory: Mapping[str, int]
    checked: int
    agreement: float
    generator_qps: float
    offered_qps: float = 0.0


@dataclass(frozen=True)
class SpeedCell:
    """One stored result: what its processes measured, pooled.

    throughput   queries a second; the interval by bootstrap over processes and their windows,
                 equal to the value where there is a single window to draw from
    windows      how many there were to draw from
    latency_ms   "p50", "p95", and with at least 1,000 completions "p99", pooled over processes
    steady       whether every process reached a steady state; "unstable" is what tables say else
    phases_ms    phase -> milliseconds a query
    extrapolated the row did only a part of the work, and its figures are scaled from that
    agreement    the lowest of its processes
    """

    spec: SpeedSpec
    status: SpeedStatus
    created: str
    command: str
    reason: str = ""
    paradigm: str = ""
    form: str = ""
    weights: str = ""
    throughput: Measure | None = None
    windows: int = 0
    completed: int = 0
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    steady: bool = False
    phases_ms: Mapping[str, float] = field(default_factory=dict)
    build: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Scalar] = field(default_factory=dict)
    memory: Mapping[str, int] = field(default_factory=dict)
    extrapolated: bool = False
    checked: int = 0
    agreement: float = 0.0
    generator_qps: float = 0.0
    offered_qps: float = 0.0
    batches: Mapping[str, int] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    notes: tuple[str, ...] = ()
    schema: int = SPEED_SCHEMA
