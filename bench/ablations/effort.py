"""A reduced run: every row trained for a part of its epochs and steps."""

from __future__ import annotations

import math
from collections.abc import Mapping

TRAINED = (
    "identifiers.epochs",
    "fit.epochs",
    "fit.least_steps",
    "absorb.epochs",
    "absorb.least_steps",
)


def shortened(fields: Mapping[str, object], effort: float) -> dict[str, str]:
    """The changes that leave ``effort`` of the training of a retriever with these fields.

    Rounded up, so that nothing is left untrained. Empty where ``effort`` is 1, and of a retriever
    that has no such field.
    """
    if effort == 1:
        return {}
    present = {name: fields[name] for name in TRAINED if name in fields}
    return {
        name: str(math.ceil(effort * value))
        for name, value in present.items()
        if isinstance(value, int) and value > 0
    }
