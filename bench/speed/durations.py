"""How long a timed run is estimated to take, from what its row says of itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.speed.cells import Scenario
from bench.speed.windows import LONGEST
from retrievers.serving.contract import Needs

# Measured on two cores of 2.5 GHz; the estimates that rest on them are for planning alone.
START_SECONDS = 5.0  # of what asks and what answers
DRAWN_BYTES_A_SECOND = 70e6  # of candidates
LOADED_BYTES_A_SECOND = 400e6  # of a gallery that was built before
WARM_UP = 0.6  # of the timed seconds, until the rate is steady
BATCH = 100
# Queries before the first batch that counts, and the batches of a row for which one takes long.
SLOW_WARM_UP = 8
FEWEST_BATCHES, MOST_BATCHES = 2, 3
# The row's own reference is the slow and obvious way.
REFERENCE_QUERIES = 16
REFERENCE_FACTOR = 2.0


@dataclass(frozen=True)
class Duration:
    """Estimated seconds of the first process of a result, and of each further one."""

    first: float
    next: float

    def of(self, processes: int) -> float:
        return self.first + (processes - 1) * self.next


NOTHING = Duration(0.0, 0.0)


def drawing_seconds(rows: int, dim: int) -> float:
    """Of so many candidates that were not yet drawn."""
    return 4 * rows * dim / DRAWN_BYTES_A_SECOND


def duration(needs: Needs, scenarios: Sequence[Scenario], seconds: float) -> Duration:
    """Of one fresh process that runs the scenarios in turn, each timed for ``seconds``."""
    timed = sum(_timed(scenario, needs.seconds_a_query, seconds) for scenario in scenarios)
    if "open" in scenarios and "closed-100" not in scenarios:
        timed += _timed("closed-100", needs.seconds_a_query, seconds)
    checked = REFERENCE_FACTOR * min(REFERENCE_QUERIES * needs.seconds_a_query, seconds)
    kept = sum(needs.kept.values())
    loaded = min(kept, needs.host_bytes / LOADED_BYTES_A_SECOND)
    rest = START_SECONDS + needs.seconds_to_build - kept + timed + checked
    return Duration(first=rest + kept, next=rest + loaded)


def _timed(scenario: Scenario, seconds_a_query: float, seconds: float) -> float:
    steady = (1 + WARM_UP) * seconds
    batch = BATCH * seconds_a_query
    if scenario == "open" or not batch:
        return steady
    # A run ends when three windows agree, and in any case after four times as long.
    batches = min(MOST_BATCHES, max(FEWEST_BATCHES, math.ceil(LONGEST * seconds / batch)))
    return max(steady, SLOW_WARM_UP * seconds_a_query + batches * batch)
