"""Trains the tiny towers with symmetric InfoNCE.

The loss is that of CLIP (Radford et al. 2021, section 2.3) for several captions an item. On the
twin of Flickr30K a second loss, that made the picture's features predict the words of its captions,
slowed the learning and was left out.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retrievers.encoders.tiny.medium import Medium
from retrievers.encoders.tiny.towers import Towers, pad

# Takes a label, the steps done and the steps in all.
Report = Callable[[str, int, int], None]
_BLOCK = 128
T = TypeVar("T")


@dataclass(frozen=True)
class Schedule:
    """How the towers are trained.

    epochs       passes over the training items, but no fewer than ``least_steps`` steps
    batch        items a step, each with ``captions`` of its captions
    evaluations  times that the validation split is ranked, equally spaced
    patience     evaluations without a better R@1 after which training stops
    """

    epochs: int = 8
    least_steps: int = 220
    batch: int = 64
    captions: int = 2
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warm_up_steps: int = 40
    evaluations: int = 10
    patience: int = 3


@dataclass(frozen=True)
class Captioned:
    """Items with their captions as tokens.

    read      rows -> what the medium reads of these items, uint8 [rows, ...]
    captions  token ids of the captions of each item; none may be without
    """

    read: Callable[[Sequence[int]], Tensor]
    captions: Sequence[Sequence[Sequence[int]]]

    def __len__(self) -> int:
        return len(self.captions)


def train(
    towers: Towers,
    medium: Medium,
    train: Captioned,
    validation: Captioned,
    schedule: Schedule,
    seed: int,
    report: Report,
) -> float:
    """Train in place, keep the weights of the best validation R@1, and return that R@1.

    Without validation items the last weights are kept and NaN is returned.
    """
    rng = np.random.default_rng(seed)
    optimizer = _optimizer(list(towers.parameters()), schedule)
    batch = min(schedule.batch, len(train))
    steps = max(schedule.least_steps, schedule.epochs * (len(train) // batch))
    best = _Best(towers)
    every = max(1, steps // schedule.evaluations)
    order: list[int] = []
    for step in range(steps):
        if len(order) < batch:
            order = rng.permutation(len(train)).tolist()
        rows, order = order[:batch], order[batch:]
        _set_rate(optimizer, schedule, step, steps)
        loss = _loss(towers, medium, train, rows, schedule, rng)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            towers.log_scale.clamp_(max=math.log(100.0))
        report("training the tiny towers", step + 1, steps)
        if len(validation) and ((step + 1) % every == 0 or step + 1 == steps):
            best.offer(recall_at_1(towers, medium, validation))
            if best.since >= schedule.patience:
                break
    best.restore()
    towers.eval()
    return best.score


class _Best:
    """The weights of the best score so far."""

    def __init__(self, towers: Towers) -> None:
        self._towers = towers
        self._weights: dict[str, Tensor] | None = None
        self.score = math.nan
        self.since = 0

    def offer(self, score: float) -> None:
        if self._weights is not None and score <= self.score:
            self.since += 1
            return
        self._weights = copy.deepcopy(self._towers.state_dict())
        self.score, self.since = score, 0

    def restore(self) -> None:
        if self._weights is not None:
            self._towers.load_state_dict(self._weights)


def _loss(
    towers: Towers,
    medium: Medium,
    train: Captioned,
    rows: Sequence[int],
    schedule: Schedule,
    rng: np.random.Generator,
) -> Tensor:
    device = towers.log_scale.device
    items = towers.item(medium.vary(train.read(rows), rng).to(device))
    tokens, lengths, owners = _draw_captions(train, rows, schedule.captions, rng)
    texts = towers.text(tokens.to(device), lengths)
    return info_nce(towers.log_scale.exp() * texts @ items.T, owners.to(device))


def info_nce(scores: Tensor, owners: Tensor) -> Tensor:
    """InfoNCE, the sum of both directions.

    scores  [texts, items], scaled
    owners  [texts] the item of each text; the other texts of an item are neither its
            positives nor its negatives, so that five captions do not compete
    """
    texts = torch.arange(len(owners), device=owners.device)
    to_item = F.cross_entropy(scores, owners)
    own = owners[None] == torch.arange(scores.shape[1], device=owners.device)[:, None]
    rivals = scores.T.masked_fill(own, -torch.inf).logsumexp(dim=1)[owners]
    positive = scores[texts, owners]
    to_text = (torch.logaddexp(positive, rivals) - positive).mean()
    return to_item + to_text


def _draw_captions(
    train: Captioned, rows: Sequence[int], most: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    sequences, owners = [], []
    for place, row in enumerate(rows):
        own = train.captions[row]
        for choice in rng.permutation(len(own))[:most]:
            sequences.append(own[choice])
            owners.append(place)
    tokens, lengths = pad(sequences)
    return tokens, lengths, torch.tensor(owners)


def _optimizer(parameters: Sequence[nn.Parameter], schedule: Schedule) -> torch.optim.AdamW:
    matrices = [one for one in parameters if one.ndim > 1]
    vectors = [one for one in parameters if one.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": schedule.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=schedule.learning_rate, betas=(0.9, 0.98))


def _set_rate(optimizer: torch.optim.Optimizer, schedule: Schedule, step: int, steps: int) -> None:
    """Linear warm-up, then a cosine down to one fiftieth."""
    warm = min(1.0, (step + 1) / schedule.warm_up_steps)
    cosine = 0.5 * (1.0 + math.cos(math.pi * step / steps))
    for group in optimizer.param_groups:
        group["lr"] = schedule.learning_rate * warm * (0.02 + 0.98 * cosine)


@torch.no_grad()
def recall_at_1(towers: Towers, medium: Medium, pairs: Captioned) -> float:
    """Share of captions that score their own item above every other of ``pairs``."""
    towers.eval()
    device = towers.log_scale.device
    items = torch.cat(
        [
            towers.item(medium.values(pairs.read(rows)).to(device))
            for rows in _blocks(range(len(pairs)))
        ]
    )
    captions = [(row, own) for row, said in enumerate(pairs.captions) for own in said]
    right = 0
    for block in _blocks(captions):
        tokens, lengths = pad([own for _, own in block])
        scores = towers.text(tokens.to(device), lengths) @ items.T
        own = torch.tensor([row for row, _ in block], device=device)[:, None]
        better = (scores >= scores.gather(1, own)).sum(1)
        right += int((better == 1).sum())
    towers.train()
    return right / len(captions)


def _blocks(things: Sequence[T]) -> Iterator[Sequence[T]]:
    return (things[start : start + _BLOCK] for start in range(0, len(things), _BLOCK))
