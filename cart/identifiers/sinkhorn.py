"""Codes spread over the last codebook, so that fewer items share all of theirs.

The uniform semantic mapping of LC-Rec (arXiv 2311.09049, section 3.2), which like its released
code changes nothing but the last level, and only where items collide there.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from cart.identifiers.counters import run_starts
from cart.identifiers.quantizers import FloatArray, IntArray, LastCodebook, Quantizers
from cart.prefix_tree.ordering import keys

# As LC-Rec: distances of a problem lie from -1 to 1.
SHARPNESS = 0.003
ITERATIONS = 100
# Numbers that are balanced at once.
_AT_ONCE = 1 << 22


def spread(quantizers: Quantizers, embeddings: FloatArray) -> IntArray:
    """Code prefixes [n, positions] of embeddings [n, dim], those of colliding items spread.

    All items that share the codes before the last take part where any two of them share the last
    one too. Raises ValueError where the last code is no entry of a codebook.
    """
    if not isinstance(quantizers, LastCodebook):
        raise ValueError("items can be spread over a last codebook only, which there is none of")
    codes = quantizers.codes(embeddings)
    for rows in _colliding(codes, quantizers.sizes[-1]):
        distances = quantizers.last_distances(embeddings[rows.ravel()])
        entries = balanced(torch.from_numpy(distances.reshape(*rows.shape, -1)))
        codes[rows, -1] = entries.numpy()
    return codes


def balanced(distances: Tensor) -> Tensor:
    """Entries [problems, n] for n items each, from their distances [problems, n, V] to entries.

    The likeliest entry of each item in the plan of least distance in which no entry holds more
    than max(1, n / V) items, by Sinkhorn and Knopp's iterations. LC-Rec has all entries hold as
    much, which sends two items among 128 entries to where they differ most and not to where they
    are near: here a row that is near to every entry takes the room that n < V items leave.
    """
    _, items, entries = distances.shape
    highest, lowest = distances.amax((1, 2), keepdim=True), distances.amin((1, 2), keepdim=True)
    middle = (highest + lowest) / 2
    nearness = (middle - distances).double() / (highest - middle + 1e-5) / SHARPNESS
    held = nearness.new_zeros((items, 1))
    if items < entries:
        nearness = torch.cat([nearness, torch.zeros_like(nearness[:, :1])], dim=1)
        held = torch.cat([held, held.new_full((1, 1), math.log(entries - items))])
    room = math.log(max(1.0, items / entries))
    by_entry = torch.zeros_like(nearness[:, :1])
    for _ in range(ITERATIONS):
        by_item = held - (nearness + by_entry).logsumexp(2, keepdim=True)
        by_entry = room - (nearness + by_item).logsumexp(1, keepdim=True)
    return (nearness + by_entry)[:, :items].argmax(dim=2)


def _colliding(codes: IntArray, entries: int) -> list[IntArray]:
    """Rows [groups, items] of items that share all codes but the last, where two share that too.

    Groups of a size come together, as many as are balanced at once.
    """
    (prefixes,) = keys(codes)
    above = keys(codes[:, :-1])[0] if codes.shape[1] > 1 else np.zeros(len(codes), dtype=np.int64)
    _, which, count = np.unique(prefixes, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(np.isin(above, above[count[which] > 1]))
    rows = rows[np.argsort(above[rows], kind="stable")]
    groups = np.split(rows, run_starts(above[rows])[1:]) if len(rows) else []
    by_size: dict[int, list[IntArray]] = {}
    for group in groups:
        by_size.setdefault(len(group), []).append(group)
    found = []
    for size, alike in by_size.items():
        at_once = max(1, _AT_ONCE // ((size + 1) * entries))
        found += [np.stack(alike[i : i + at_once]) for i in range(0, len(alike), at_once)]
    return found
