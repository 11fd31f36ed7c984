"""Two processes learn what one does."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import cart.training
from cart.config import TrainConfig
from cart.model import CartModel
from cart.targets import Targets
from cart.training import train
from tests.cart.test_training_steps import without_dropout

CONFIG = TrainConfig(epochs=3, least_steps=0, batch_size=16, validations=3, accumulate=2)

needs_accelerate = pytest.mark.skipif(
    importlib.util.find_spec("accelerate") is None,
    reason="Accelerate is not installed: pip install -e '.[distributed]'",
)


def reading(model: CartModel) -> float:
    """A score that tells weights apart, in evaluation mode."""
    assert not model.training
    return float(model.begin.detach().abs().sum())


@needs_accelerate
def test_two_processes_have_the_loss_curve_of_one_and_go_on_where_they_were_stopped(
    tmp_path: Path,
) -> None:
    model, examples = without_dropout()
    alone = train(model, examples, CONFIG, 0, reading)
    path, steps = tmp_path / "run.pt", []

    def monitor(label: str, done: int, total: int) -> None:
        steps.append(done)
        if done == 6 and len(steps) == 6:
            raise KeyboardInterrupt

    two = without_dropout()[0]
    with pytest.raises(KeyboardInterrupt):
        train(two, examples, CONFIG, 0, reading, path, monitor, checkpoint_steps=1, processes=2)
    assert path.exists()
    two = without_dropout()[0]
    together = train(
        two, examples, CONFIG, 0, reading, path, monitor, checkpoint_steps=1, processes=2
    )
    assert together.losses == pytest.approx(alone.losses, rel=1e-4)
    assert [epoch for epoch, _ in together.validations] == [1, 2, 3]
    scores: Sequence[float] = [score for _, score in together.validations]
    assert scores == pytest.approx([score for _, score in alone.validations], rel=1e-3)
    assert steps[-1] == 12
    assert reading(two) == pytest.approx(reading(model), rel=1e-3)


def fails(
    model: CartModel, ids: Tensor, mask: Tensor, targets: Targets, config: TrainConfig
) -> Tensor:
    raise ArithmeticError("no loss to be had")


@needs_accelerate
def test_a_process_that_fails_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cart.training, "cart_loss", fails)
    model, examples = without_dropout()
    with pytest.raises(RuntimeError, match="of 2 failed: ArithmeticError: no loss to be had"):
        train(model, examples, CONFIG, 0, processes=2)


def is_killed(
    model: CartModel, ids: Tensor, mask: Tensor, targets: Targets, config: TrainConfig
) -> Tensor:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("not reached")


@needs_accelerate
def test_a_process_that_is_killed_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cart.training, "cart_loss", is_killed)
    model, examples = without_dropout()
    with pytest.raises(RuntimeError, match="of 2 ended with status -9"):
        train(model, examples, CONFIG, 0, processes=2)


def test_without_accelerate_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    model, examples = without_dropout()
    with pytest.raises(ModuleNotFoundError, match="distributed"):
        train(model, examples, CONFIG, 0, processes=2)


def test_more_processes_than_graphics_cards_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    model, examples = without_dropout()
    first = next(model.parameters())
    monkeypatch.setattr(CartModel, "parameters", lambda self: iter([OnCard(first)]))
    with pytest.raises(ValueError, match="2 processes would share 1 graphics cards"):
        train(model, examples, replace(CONFIG, accumulate=1), 0, processes=2)


class OnCard:
    def __init__(self, parameter: torch.nn.Parameter) -> None:
        self.device = torch.device("cuda")
        self.shape = parameter.shape
