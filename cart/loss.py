"""The training objective (section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from cart.config import TrainConfig
from cart.model import CartModel
from cart.targets import Targets


def bidirectional_kl(p: Tensor, q: Tensor) -> Tensor:
    """Equation 7, averaged over the batch: KL(P||Q) + KL(Q||P) of logits [batch, vocabulary]."""
    log_p, log_q = p.log_softmax(dim=-1), q.log_softmax(dim=-1)
    both = (log_p.exp() - log_q.exp()) * (log_p - log_q)
    return both.sum(dim=-1).mean()


def cart_loss(
    model: CartModel, ids: Tensor, mask: Tensor, targets: Targets, config: TrainConfig
) -> Tensor:
    """Equation 8 with the minus sign that its print lacks: -log p + omega * KL, a batch's mean.

    ids, mask [batch, length]. Log-probabilities are summed over the identifier's positions
    (equation 6). Where a query has several candidates, one is drawn to be written, and at each
    position the model is held against all of those that begin as it does.
    """
    batch = len(ids)
    identifiers = targets.drawn()
    wanted = [_wanted(targets, identifiers, level, model) for level in range(len(model.levels))]
    if config.consistency == "off":
        logits = model.decode(model.encode(ids, mask), identifiers)
        return _cross_entropy(logits, wanted, config)
    twice = torch.cat([identifiers, identifiers])
    if config.consistency == "model":
        encoded = model.encode(torch.cat([ids, ids]), torch.cat([mask, mask]))
    else:
        encoded = model.encode(ids, mask).repeat(2)
    logits = model.decode(encoded, twice)
    apart = torch.stack([bidirectional_kl(level[:batch], level[batch:]) for level in logits])
    likelihood = _cross_entropy(logits, [torch.cat([one, one]) for one in wanted], config)
    return likelihood + config.consistency_weight * apart.sum()


def _wanted(targets: Targets, identifiers: Tensor, level: int, model: CartModel) -> Tensor:
    """Tokens [batch] where every query has one candidate, else distributions [batch, size]."""
    if targets.sure:
        return identifiers[:, level]
    return targets.following(identifiers, level, model.levels[level])


def _cross_entropy(logits: list[Tensor], wanted: list[Tensor], config: TrainConfig) -> Tensor:
    """Summed over the positions, a mean over the batch."""
    levels = [
        F.cross_entropy(level, goal, label_smoothing=config.label_smoothing)
        for level, goal in zip(logits, wanted, strict=True)
    ]
    return torch.stack(levels).sum()
