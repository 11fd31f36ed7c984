"""Random weights by name: the same numbers in every environment, whatever made the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

Shapes = Mapping[str, Sequence[int]]


def seeded_state(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """float32 tensors of these shapes, each drawn from a generator seeded by its own name.

    Matrices have the scale of one over the root of their inputs, vectors named "weight" or
    "running_var" lie around 1 as a normalisation's do, and all others around 0.
    """
    return {
        name: torch.from_numpy(_drawn(name, tuple(shape), seed)) for name, shape in shapes.items()
    }


def shapes_of(state: Mapping[str, Tensor]) -> dict[str, list[int]]:
    """The released layout of a checkpoint: what ``seeded_state`` needs to make another."""
    return {name: list(tensor.shape) for name, tensor in state.items()}


def _drawn(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    digest = hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
    rng = np.random.Generator(np.random.Philox(int.from_bytes(digest, "little")))
    noise = rng.standard_normal(shape)
    if len(shape) > 1:
        drawn = noise / np.sqrt(np.prod(shape[1:]))
    elif name.endswith(("weight", "running_var")):
        drawn = 1 + 0.1 * noise
    else:
        drawn = 0.1 * noise
    return np.asarray(drawn, np.float32)
