"""How fast a gallery that was just searched is searched: calls of 100 queries, one after another.

It is the scenario that the sweep calls batch-100: one call with many queries, which is not
concurrent use. It is taken over the dataset's own gallery, by the very retriever whose answers
are scored, so that accuracy and speed are of one thing.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

import numpy as np

from bench.cells import Measure
from bench.statistics import CONFIDENCE, RESAMPLES

AT_ONCE = 100
ROUNDS = 20
LEAST_ROUNDS = 5
SECONDS = 3.0
SLOW_SECONDS = 60.0


def pace(
    search: Callable[[Sequence[str]], object], texts: Sequence[str], known: float, seed: int = 0
) -> Measure:
    """Queries a second, with the 95 % interval of the median by bootstrap over rounds.

    search  answers some of ``texts``; each round asks the next AT_ONCE of them, and begins again
            at the first when all were asked
    known   seconds in which all of them were answered a moment ago

    Of a retriever that would need more than SLOW_SECONDS for LEAST_ROUNDS nothing is asked again:
    what is known stands, and its interval is the value itself. Raises ValueError without a text.
    """
    if not texts:
        raise ValueError("no text, so there is nothing to ask")
    if known / len(texts) * AT_ONCE * LEAST_ROUNDS > SLOW_SECONDS:
        return Measure(*(len(texts) / known,) * 3)
    asked = itertools.cycle(texts)
    rates: list[float] = []
    began = time.perf_counter()
    while len(rates) < LEAST_ROUNDS or (
        len(rates) < ROUNDS and time.perf_counter() - began < SECONDS
    ):
        batch = list(itertools.islice(asked, AT_ONCE))
        started = time.perf_counter()
        search(batch)
        rates.append(len(batch) / (time.perf_counter() - started))
    drawn = np.random.default_rng(seed).choice(rates, (RESAMPLES, len(rates)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.median(drawn, axis=1), [tail, 1 - tail])
    return Measure(float(np.median(rates)), float(low), float(high))
