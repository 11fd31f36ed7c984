"""Draws tokens by numbers that belong to one row of a batch, whatever the other rows are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class SeededDraw:
    """A logits processor that leaves of each row the one token that was drawn of it.

    A sampler behind it has nothing left to choose. So what is drawn for a thing depends on its
    seed alone, not on torch's generator, nor on what shares its batch but for the last digits in
    which a network's numbers differ from batch to batch.

    seeds  one a thing
    each   rows of a thing, which stand together
    """

    def __init__(self, seeds: Sequence[bytes], each: int) -> None:
        self._generators = [np.random.default_rng(list(seed)) for seed in seeds]
        self._each = each

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores [rows, vocabulary], in which the token drawn has 0 and every other -inf."""
        drawn = np.concatenate([one.random(self._each) for one in self._generators])
        uniform = torch.from_numpy(drawn).to(scores.device)[:, None]
        cumulative = scores.double().softmax(dim=-1).cumsum(dim=-1)
        # Of the last sum rounding may leave less than 1.
        token = (cumulative <= uniform * cumulative[:, -1:]).sum(dim=-1, keepdim=True)
        return torch.full_like(scores, -torch.inf).scatter_(1, token, 0.0)
