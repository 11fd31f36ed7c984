"""The training objective (section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from cart.config import TrainConfig
from cart.model import CartModel


def bidirectional_kl(p: Tensor, q: Tensor) -> Tensor:
    """Equation 7, averaged over the batch: KL(P||Q) + KL(Q||P) of logits [batch, vocabulary]."""
    log_p, log_q = p.log_softmax(dim=-1), q.log_softmax(dim=-1)
    both = (log_p.exp() - log_q.exp()) * (log_p - log_q)
    return both.sum(dim=-1).mean()


def cart_loss(
    model: CartModel, ids: Tensor, mask: Tensor, identifiers: Tensor, config: TrainConfig
) -> Tensor:
    """Equation 8 with the minus sign that its print lacks: -log p + omega * KL, a batch's mean.

    ids, mask [batch, length]; identifiers int64 [batch, identifier length]. Log-probabilities
    are summed over the identifier's positions (equation 6).
    """
    batch = len(ids)
    if config.consistency == "off":
        logits = model.decode(model.encode(ids, mask), identifiers)
        return _negative_log_likelihood(logits, identifiers, config)
    twice = torch.cat([identifiers, identifiers])
    if config.consistency == "model":
        encoded = model.encode(torch.cat([ids, ids]), torch.cat([mask, mask]))
    else:
        encoded = model.encode(ids, mask).repeat(2)
    logits = model.decode(encoded, twice)
    apart = torch.stack([bidirectional_kl(level[:batch], level[batch:]) for level in logits])
    likelihood = _negative_log_likelihood(logits, twice, config)
    return likelihood + config.consistency_weight * apart.sum()


def _negative_log_likelihood(
    logits: list[Tensor], identifiers: Tensor, config: TrainConfig
) -> Tensor:
    levels = [
        F.cross_entropy(level, identifiers[:, position], label_smoothing=config.label_smoothing)
        for position, level in enumerate(logits)
    ]
    return torch.stack(levels).sum()
