"""How many codes keep how many items apart."""

from __future__ import annotations

import math
from collections.abc import Sequence


def even_ceiling(items: int, sizes: Sequence[int]) -> float:
    """The collision ceiling to expect of ``items`` that spread evenly over all code prefixes.

    With lambda = items / (K V_1 V_2 ...) items a prefix, Poisson's law leaves a share of
    exp(-lambda) of the items alone with theirs. Real codes are less even: their ceiling is lower.
    """
    return math.exp(-items / math.prod(sizes))


def sizes_for(
    items: int, least: Sequence[int] = (128, 128, 128), ceiling: float = 0.9
) -> tuple[int, ...]:
    """Sizes (K, V_1, ..., V_M) of the codes that ``items`` want.

    The sizes ``least``, by default the paper's, all doubled until ``even_ceiling`` is no less than
    ``ceiling``, which must be below 1.
    """
    sizes = tuple(least)
    while even_ceiling(items, sizes) < ceiling:
        sizes = tuple(2 * size for size in sizes)
    return sizes
