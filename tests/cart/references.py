"""Slow, obvious versions of what ``cart`` does fast."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cart.config import Renormalise
from cart.model import CartModel


def steps_of(model: CartModel, ids: Tensor, mask: Tensor, identifier: list[int]) -> list[Tensor]:
    """Logits of each position of one identifier for one query [1, length], by teacher forcing."""
    with torch.no_grad():
        wanted = torch.tensor([identifier])
        return [level[0] for level in model.decode(model.encode(ids, mask), wanted)]


def valid_tokens(identifiers: np.ndarray, prefix: list[int]) -> list[int]:
    """Tokens that follow ``prefix`` in some identifier, by looking at all of them."""
    return sorted(
        {int(row[len(prefix)]) for row in identifiers if list(row[: len(prefix)]) == prefix}
    )


def step_scores(logits: Tensor, valid: list[int], spread: bool) -> dict[int, float]:
    """Log-probability of each valid token."""
    if spread:
        scores = logits[valid].double().log_softmax(0)
        return dict(zip(valid, scores.tolist(), strict=True))
    scores = logits.double().log_softmax(0)
    return {token: float(scores[token]) for token in valid}


def is_spread(renormalise: Renormalise, level: int, length: int) -> bool:
    """Whether the probability of ``level`` is spread over the valid tokens only."""
    return {"nothing": False, "counter": level == length - 1, "everything": True}[renormalise]


def exhaustive(
    model: CartModel, identifiers: np.ndarray, ids: Tensor, mask: Tensor, renormalise: Renormalise
) -> np.ndarray:
    """The score of every item for one query, each identifier walked token by token."""
    totals = []
    for row in identifiers.tolist():
        logits = steps_of(model, ids, mask, row)
        total = 0.0
        for level, token in enumerate(row):
            valid = valid_tokens(identifiers, row[:level])
            spread = is_spread(renormalise, level, len(row))
            total += step_scores(logits[level], valid, spread)[token]
        totals.append(total)
    return np.array(totals)


def slow_beam(
    model: CartModel,
    identifiers: np.ndarray,
    ids: Tensor,
    mask: Tensor,
    beam: int,
    renormalise: Renormalise,
) -> list[tuple[float, list[int]]]:
    """Beam search on Python lists, the whole prefix decoded anew at every step."""
    length = identifiers.shape[1]
    beams: list[tuple[float, list[int]]] = [(0.0, [])]
    for level in range(length):
        extended = []
        for score, prefix in beams:
            padded = prefix + [0] * (length - level)
            logits = steps_of(model, ids, mask, padded)[level]
            valid = valid_tokens(identifiers, prefix)
            spread = is_spread(renormalise, level, length)
            for token, step in step_scores(logits, valid, spread).items():
                extended.append((score + step, [*prefix, token]))
        beams = sorted(extended, key=lambda pair: -pair[0])[:beam]
    return beams
