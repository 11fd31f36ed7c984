"""The gradient of one batch: in micro-batches, in few bits, over several processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cart.config import TrainConfig
from cart.targets import Targets
from cart.tokenizer import pad
from cart.training.examples import Examples, IntArray
from cart.training.team import Team

# Of a batch: token ids and mask [batch, length], and what to write. A mean over its examples, so
# that the parts of a batch can be weighted by how many each holds.
Loss = Callable[[Tensor, Tensor, Targets], Tensor]


def batch_gradient(
    model: nn.Module,
    loss: Loss,
    examples: Examples,
    rows: IntArray,
    config: TrainConfig,
    team: Team,
) -> Tensor:
    """Leave the gradient of the mean loss of ``rows`` [batch] in the parameters; that loss.

    Every process takes its share of the batch in ``config.accumulate`` micro-batches. Each example
    weighs alike, however unequal the parts: a part counts by its share of the batch, not by its
    mean. With "bf16" matrices are multiplied in bfloat16; parameters, gradients and the
    optimiser's moments stay in fp32.
    """
    device = next(model.parameters()).device
    low = torch.autocast(device.type, torch.bfloat16, enabled=config.numbers == "bf16")
    for parameter in model.parameters():
        parameter.grad = None
    total = torch.zeros((), device=device)
    for part, weight in _parts(rows, config.accumulate, team):
        ids, mask = pad([examples.tokens[row] for row in part], str(device))
        wanted = examples.candidates.of(part, device)
        with low:
            value = loss(ids, mask, wanted)
        if weight != 1:
            value = value * weight
        value.backward()
        total += value.detach()
    return _over_all(model, total, team)


def _parts(rows: IntArray, accumulate: int, team: Team) -> Sequence[tuple[IntArray, float]]:
    """This process's micro-batches of a batch, each with its share of the batch.

    Rows are dealt out in turn, so that shares of rows sorted by length take equally long. Where
    there are fewer rows than processes, one that counts nothing keeps the rest in step.
    """
    own = rows[team.rank :: team.count]
    if not len(own):
        return [(rows[:1], 0.0)]
    parts = np.array_split(own, min(accumulate, len(own)))
    return [(part, len(part) / len(rows)) for part in parts]


def _over_all(model: nn.Module, total: Tensor, team: Team) -> Tensor:
    """Sum gradients and loss over the processes, in one message; the loss."""
    if team.count == 1:
        return total
    gradients = [one.grad for one in model.parameters() if one.grad is not None]
    message = torch.cat([total.reshape(1), *(one.flatten() for one in gradients)])
    loss, *summed = team.summed(message).split([1, *(one.numel() for one in gradients)])
    for gradient, one in zip(gradients, summed, strict=True):
        gradient.copy_(one.view_as(gradient))
    return loss[0]
