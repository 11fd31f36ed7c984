"""The training loop: batches by length, a cosine schedule, validation, exact resume."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cart.config import TrainConfig
from cart.loss import cart_loss
from cart.model import CartModel
from cart.monitor import Monitor
from cart.tokenizer import pad

IntArray = npt.NDArray[np.int64]

# Of a batch: token ids and mask [batch, length], identifiers [batch, identifier length].
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Examples:
    """<query, identifier> pairs: token ids of each query, identifiers [examples, length].

    ``items`` [examples] is the item that a human caption is of, whose captions take turns from
    epoch to epoch where there are many; -1 for a query that every epoch holds.
    """

    tokens: Sequence[Sequence[int]]
    identifiers: IntArray
    items: IntArray

    def __post_init__(self) -> None:
        if not len(self.tokens) == len(self.identifiers) == len(self.items):
            raise ValueError(
                f"{len(self.tokens)} queries, {len(self.identifiers)} identifiers, "
                f"{len(self.items)} items"
            )

    def drawn(self, most: int, random: np.random.Generator) -> IntArray:
        """Rows of one epoch in random order, at most ``most`` of each item; their number is the
        same whatever is drawn."""
        order = random.permutation(len(self.tokens))
        items = self.items[order]
        by_item = np.argsort(items, kind="stable")
        grouped = items[by_item]
        turn = np.empty(len(order), dtype=np.int64)
        turn[by_item] = np.arange(len(order)) - np.searchsorted(grouped, grouped)
        return order[(turn < most) | (items < 0)]


@dataclass(frozen=True)
class Progress:
    """Where training stands: what a checkpoint holds beside the tensors.

    losses       mean loss of each epoch
    validations  (epoch, R@10) of each validation
    seconds      spent so far, in earlier processes too
    """

    epoch: int = 0
    losses: tuple[float, ...] = ()
    validations: tuple[tuple[int, float], ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def best(self) -> float:
        return max((score for _, score in self.validations), default=-math.inf)

    def stale(self) -> int:
        """Validations since the last one that was as good as the best."""
        scores = [score for _, score in self.validations]
        return scores[::-1].index(max(scores)) if scores else 0


def learning_rate_factor(step: int, total: int, config: TrainConfig) -> float:
    """Share of the peak learning rate at ``step`` of ``total``.

    Linear warm-up from 1 % of the peak, then ``config.cycles`` cosines to zero (appendix C).
    """
    warm = max(1, round(config.warmup * total))
    if step < warm:
        return 0.01 + 0.99 * step / warm
    cycle = max(1, total - warm) / config.cycles
    within = ((step - warm) % cycle) / cycle
    return 0.5 * (1 + math.cos(math.pi * within))


def batches(
    examples: Examples, config: TrainConfig, random: np.random.Generator
) -> Iterator[IntArray]:
    """Rows of one epoch's batches: shuffled, alike in length within a batch.

    Sorting within runs of 16 batches keeps the padding small without fixing the neighbours.
    """
    batch_size = config.batch_size
    order = examples.drawn(config.captions_per_item, random)
    lengths = np.array([len(tokens) for tokens in examples.tokens])
    grouped = []
    for start in range(0, len(order), 16 * batch_size):
        part = order[start : start + 16 * batch_size]
        part = part[np.argsort(lengths[part], kind="stable")]
        grouped += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    for index in random.permutation(len(grouped)):
        yield grouped[index]


def train(
    model: CartModel,
    examples: Examples,
    config: TrainConfig,
    seed: int,
    validate: Callable[[CartModel], float] | None = None,
    checkpoint: Path | None = None,
    monitor: Monitor | None = None,
) -> Progress:
    """Train CART on equation 8; see ``optimise``."""

    def loss(ids: Tensor, mask: Tensor, identifiers: Tensor) -> Tensor:
        return cart_loss(model, ids, mask, identifiers, config)

    score = None if validate is None else partial(validate, model)
    return optimise(model, loss, examples, config, seed, score, checkpoint, monitor)


def optimise(
    model: nn.Module,
    loss: Loss,
    examples: Examples,
    config: TrainConfig,
    seed: int,
    validate: Callable[[], float] | None = None,
    checkpoint: Path | None = None,
    monitor: Monitor | None = None,
) -> Progress:
    """Train in place; with ``validate`` (R@10) the best epoch's weights are kept, the later
    ones among equals: on a small validation gallery R@10 is full long before the ranks settle.
    It finds the model in evaluation mode.

    A ``checkpoint`` file is written after every epoch and picked up again by the same call, with
    the result of an undisturbed run. The caller names it by all that decides the training.
    """
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        betas=(0.9, 0.98),
    )
    drawn = len(examples.drawn(config.captions_per_item, np.random.default_rng(0)))
    steps = math.ceil(drawn / config.batch_size)
    epochs = config.epochs_of(steps)
    progress, best = Progress(), None
    torch.manual_seed(seed)
    if checkpoint is not None and checkpoint.exists():
        progress, best = _resume(checkpoint, model, optimizer)
    while progress.epoch < epochs and not (
        validate is not None and progress.stale() >= config.patience
    ):
        model.train()
        started, epoch, total = time.perf_counter(), progress.epoch, 0.0
        random = np.random.default_rng([seed, epoch])
        for step, rows in enumerate(batches(examples, config, random)):
            factor = learning_rate_factor(epoch * steps + step, epochs * steps, config)
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * factor
            ids, mask = pad([examples.tokens[row] for row in rows], str(device))
            wanted = torch.from_numpy(examples.identifiers[rows]).to(device)
            value = loss(ids, mask, wanted)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += float(value.detach()) * len(rows)
            if monitor is not None:
                monitor("training", epoch * steps + step + 1, epochs * steps)
        progress = replace(
            progress,
            epoch=epoch + 1,
            losses=(*progress.losses, total / max(1, drawn)),
        )
        if validate is not None and config.validation_due(progress.epoch, epochs):
            model.eval()
            score = validate()
            if score >= progress.best:
                best = {name: value.clone() for name, value in model.state_dict().items()}
            progress = replace(
                progress, validations=(*progress.validations, (progress.epoch, score))
            )
        spent = progress.seconds + time.perf_counter() - started
        progress = replace(progress, seconds=spent)
        if checkpoint is not None:
            _write(checkpoint, model, optimizer, progress, best)
    if best is not None:
        model.load_state_dict(best)
    model.eval()
    return progress


def _write(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    best: dict[str, torch.Tensor] | None,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    state: dict[str, Any] = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "best": best,
        "epoch": progress.epoch,
        "seconds": progress.seconds,
        "losses": list(progress.losses),
        "validations": [list(pair) for pair in progress.validations],
        "random": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["random_cuda"] = torch.cuda.get_rng_state_all()
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _resume(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[Progress, dict[str, torch.Tensor] | None]:
    state = torch.load(path, weights_only=True, map_location="cpu")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["random"])
    if torch.cuda.is_available() and "random_cuda" in state:
        torch.cuda.set_rng_state_all(state["random_cuda"])
    progress = Progress(
        state["epoch"],
        tuple(state["losses"]),
        tuple((int(epoch), float(score)) for epoch, score in state["validations"]),
        float(state["seconds"]),
    )
    return progress, state["best"]
