"""When requests are due that do not wait for each other: a Poisson process, drawn from a seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_DRAWN_AT_ONCE = 1024


def arrivals(rate: float, seed: int) -> Iterator[float]:
    """Seconds since the start at which requests are due, ``rate`` a second in the mean, endless.

    Raises ValueError unless the rate is positive.
    """
    if not rate > 0:
        raise ValueError(f"the rate must be positive, not {rate}")
    draw = np.random.default_rng(seed)
    at = 0.0
    while True:
        instants = at + np.cumsum(draw.exponential(1 / rate, _DRAWN_AT_ONCE))
        at = float(instants[-1])
        yield from instants.tolist()
