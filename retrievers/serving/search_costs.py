"""What looking candidates up is estimated to cost, and whether there is room for it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from retrievers.indexes.approximate import Kind
from retrievers.indexes.estimates import estimate
from retrievers.serving.contract import CannotServe, Place

# Numbers of fp32 that are compared in a second on two cores of 2.5 GHz, 100 queries at once.
_FLAT_RATE = 7.5e9
_TORCH_RATE = 35e9
# The same on an accelerator of the last years; an order of magnitude, for planning alone.
_ACCELERATOR_RATE = 5e12
# Of reading candidates that are in the memory of the machine, and of copying them.
_COPY_RATE = 1e9
_MERGED_QUERY = 2e-5
# Of opening inverted lists, whose number grows with the root of that of the candidates.
_PROBED = 1e-9
_TUNING_SECONDS = 4.0

# Drawn queries by which an index is tuned: half to choose by, half to measure on.
TUNED_BY = 1000


@dataclass(frozen=True)
class SearchCost:
    """As ``retrievers.serving.contract.Needs``, of the search alone."""

    seconds_to_build: float
    seconds_a_query: float
    host_bytes: int
    device_bytes: int = 0
    kept: Mapping[str, float] = field(default_factory=dict)


def flat_cost(place: Place, count: int, dim: int) -> SearchCost:
    """FAISS's exact search on the processor."""
    held = 4 * count * dim
    return SearchCost(held / _COPY_RATE, count * dim / _FLAT_RATE + _MERGED_QUERY, held)


def exact_cost(place: Place, count: int, dim: int) -> SearchCost:
    """Exact search in torch on the row's device."""
    held = 4 * count * dim
    on_processor = place.device == "cpu"
    rate = _TORCH_RATE if on_processor else _ACCELERATOR_RATE
    seconds = count * dim / rate + _MERGED_QUERY
    return SearchCost(held / _COPY_RATE, seconds, held, 0 if on_processor else held)


def index_cost(kind: Kind, place: Place, count: int, dim: int) -> SearchCost:
    """An index of FAISS on the processor, built and tuned."""
    found = estimate(kind, count, dim, place.threads)
    compared = TUNED_BY * count * dim / _TORCH_RATE
    seconds = found.seconds + compared + _TUNING_SECONDS
    return SearchCost(
        seconds,
        _PROBED * math.sqrt(count) * dim,
        found.peak_bytes,
        kept={f"{kind} of {count} x {dim}": seconds},
    )


def gpu_cost(place: Place, count: int, dim: int) -> SearchCost:
    """An index of FAISS on an accelerator, beside the candidates that it is tuned by.

    Raises CannotServe where the place is a processor.
    """
    if place.device == "cpu":
        raise CannotServe("FAISS's GPU indexes are for CUDA: use the form best on a processor.")
    held = 4 * count * dim
    seconds = 2 * held / _COPY_RATE + _TUNING_SECONDS
    return SearchCost(seconds, _MERGED_QUERY, held, 2 * held)


def check_room(place: Place, cost: SearchCost) -> None:
    """Raises CannotServe where the machine, or its accelerator, is too small for the candidates."""
    _check("machine", cost.host_bytes, _physical_bytes())
    if cost.device_bytes:
        _check("accelerator", cost.device_bytes, torch.cuda.mem_get_info(place.device)[0])


def _check(what: str, needed: int, there: int) -> None:
    if needed > there:
        raise CannotServe(
            f"The candidates need {needed / 1e9:.1f} GB of memory and the {what} has "
            f"{there / 1e9:.1f} GB: ask for fewer candidates, or for a form that holds them in "
            "fewer bytes, as pq does."
        )


def _physical_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
