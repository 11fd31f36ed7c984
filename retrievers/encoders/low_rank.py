"""Low-rank adapters, as the package peft saves them beside the weights that they tune."""

from __future__ import annotations

import re

from retrievers.weights.report import CheckpointError
from retrievers.weights.states import State

_DOWN = re.compile(r"\.lora_A\.([^.]+)\.weight$")
_WRAPPED = "base_model.model."


def merged(state: State, scale: float) -> State:
    """The weights without adapters: each tuned one is W + ``scale`` B A, in W's own name.

    scale  alpha over the rank (Hu et al., ICLR 2022)

    A part of an adapter that stands alone, or beside no weight, stays, so that a strict load tells
    of it. Raises CheckpointError where the shapes of one do not fit.
    """
    found = {name.replace(_WRAPPED, ""): tensor for name, tensor in state.items()}
    for down in [name for name in found if _DOWN.search(name)]:
        up, weight = _DOWN.sub(r".lora_B.\1.weight", down), _DOWN.sub(".weight", down)
        if up not in found or weight not in found:
            continue
        try:
            found[weight] = found[weight] + scale * (found.pop(up) @ found.pop(down))
        except RuntimeError as error:
            raise CheckpointError(f"the adapter of {weight} does not fit it: {error}") from error
    return found
