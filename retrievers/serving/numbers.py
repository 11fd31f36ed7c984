"""The numbers that a row computes in.

"auto" is bf16 where the device has it in hardware, which of processors those have that tell of
amx_bf16 or avx512_bf16, and fp32 elsewhere, where bf16 is slower. Whole numbers (int8) change
answers more than rounding does, and are never chosen for the user.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from cart.engine.numbers import Numbers as Computed
from cart.engine.numbers import activations, fastest_exact
from retrievers.serving.contract import CannotServe, Place

__all__ = ["Computed", "computed", "dtype"]


_DTYPES: Mapping[Computed, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "int8": torch.float32,
}


def computed(place: Place) -> Computed:
    """The numbers in use there. Raises CannotServe where the device does not compute in them."""
    numbers = fastest_exact(place.device) if place.numbers == "auto" else place.numbers
    try:
        activations(numbers, place.device)
    except ValueError as error:
        raise CannotServe(f"{error}.") from error
    return numbers


def dtype(numbers: Computed) -> torch.dtype:
    """Of what flows between linear layers."""
    return _DTYPES[numbers]
