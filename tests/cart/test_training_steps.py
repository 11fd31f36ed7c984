"""Steps of a training: micro-batches, numbers, schedules, seeds, and where a killed one goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cart.config import Numbers, TrainConfig
from cart.loss import cart_loss
from cart.model import CartModel
from cart.presets import PAPER_TRAINING
from cart.targets import Targets
from cart.tokenizer import pad
from cart.training import Examples, learning_rate_factor, train
from cart.training.gradients import batch_gradient
from cart.training.team import ALONE, Team
from tests.cart.test_training import toy

CONFIG = TrainConfig(epochs=3, least_steps=0, batch_size=16)


def without_dropout(device: str = "cpu") -> tuple[CartModel, Examples]:
    """The toy, whose passes then agree, so that the second half of the loss is taken out too."""
    model, examples = toy()
    torch.manual_seed(0)
    still = CartModel(replace(model.config, dropout=0.0), 20, model.levels)
    return still.to(device), examples


def gradient_of(
    config: TrainConfig, rows: np.ndarray, team: Team = ALONE
) -> tuple[float, dict[str, torch.Tensor]]:
    model, examples = without_dropout()

    def loss(ids: torch.Tensor, mask: torch.Tensor, targets: Targets) -> torch.Tensor:
        return cart_loss(model, ids, mask, targets, config)

    value = batch_gradient(model, loss, examples, rows, config, team)
    named = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    return float(value), named


def obvious_gradient(config: TrainConfig, rows: np.ndarray) -> dict[str, torch.Tensor]:
    """Of each example by itself, added up and divided by how many there are."""
    model, examples = without_dropout()
    for row in rows:
        ids, mask = pad([examples.tokens[row]])
        targets = examples.candidates.of(np.array([row]), torch.device("cpu"))
        (cart_loss(model, ids, mask, targets, config) / len(rows)).backward()
    return {name: one.grad for name, one in model.named_parameters() if one.grad is not None}


@settings(max_examples=10, deadline=None)
@given(size=st.integers(1, 23), accumulate=st.integers(1, 6), seed=st.integers(0, 99))
def test_each_example_weighs_alike_in_whatever_parts_a_batch_goes_through(
    size: int, accumulate: int, seed: int
) -> None:
    rows = np.random.default_rng(seed).permutation(50)[:size]
    config = replace(CONFIG, accumulate=accumulate)
    _, found = gradient_of(config, rows)
    wanted = obvious_gradient(config, rows)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4)


class Pretended:
    """A team whose members take their turns in one process; their messages are kept."""

    def __init__(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count
        self.messages: list[torch.Tensor] = []

    def summed(self, values: torch.Tensor) -> torch.Tensor:
        self.messages.append(values.clone())
        return values

    def told(self, ask: object) -> float:
        raise AssertionError("a gradient asks nothing")

    def gathered(self, own: object) -> list[dict[str, torch.Tensor]]:
        raise AssertionError("a gradient keeps nothing")


@settings(max_examples=10, deadline=None)
@given(size=st.integers(1, 9), count=st.integers(2, 4), accumulate=st.integers(1, 3))
def test_shares_of_a_batch_add_up_to_it(size: int, count: int, accumulate: int) -> None:
    rows = np.arange(size)
    config = replace(CONFIG, accumulate=accumulate)
    team = [Pretended(rank, count) for rank in range(count)]
    for one in team:
        gradient_of(config, rows, one)
    messages = torch.stack([one.messages[0] for one in team])
    loss, whole = gradient_of(CONFIG, rows)
    together = torch.cat([torch.tensor([loss]), *(one.flatten() for one in whole.values())])
    torch.testing.assert_close(messages.sum(dim=0), together, atol=1e-5, rtol=1e-4)


def test_micro_batches_learn_as_the_whole_batch_does() -> None:
    model, examples = without_dropout()
    whole = train(model, examples, CONFIG, 0)
    again, _ = without_dropout()
    parts = train(again, examples, replace(CONFIG, accumulate=3), 0)
    assert parts.losses == pytest.approx(whole.losses, rel=1e-4)


def test_a_batch_in_no_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="one part or more"):
        TrainConfig(accumulate=0)


def losses_in(numbers: Numbers, device: str) -> tuple[float, ...]:
    model, examples = without_dropout(device)
    losses = train(model, examples, replace(CONFIG, numbers=numbers), 0).losses
    assert {one.dtype for one in model.parameters()} == {torch.float32}
    return losses


def test_bfloat16_learns_as_fp32_does_and_keeps_weights_in_it() -> None:
    few, many = losses_in("bf16", "cpu"), losses_in("fp32", "cpu")
    assert few != many
    assert few == pytest.approx(many, rel=0.02)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_bfloat16_on_a_graphics_card() -> None:
    few, many = losses_in("bf16", "cuda"), losses_in("fp32", "cuda")
    assert few != many
    assert few == pytest.approx(many, rel=0.02)


def test_logits_and_loss_of_bfloat16_layers_are_fp32() -> None:
    model, examples = without_dropout()
    ids, mask = pad(examples.tokens[:4])
    targets = examples.candidates.of(np.arange(4), torch.device("cpu"))
    with torch.autocast("cpu", torch.bfloat16):
        logits = model.decode(model.encode(ids, mask), targets.drawn())
        loss = cart_loss(model, ids, mask, targets, CONFIG)
    assert {level.dtype for level in logits} == {torch.float32}
    assert loss.dtype == torch.float32


def weights_of(seed: int) -> dict[str, torch.Tensor]:
    model, examples = toy()
    train(model, examples, CONFIG, seed)
    return model.state_dict()


def test_a_seed_decides_the_weights() -> None:
    first, again, other = weights_of(3), weights_of(3), weights_of(4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


class Killed(Exception):
    pass


@pytest.mark.parametrize("killed_at", [2, 5, 11])
def test_a_kill_amid_an_epoch_loses_a_few_steps_and_no_bit(killed_at: int, tmp_path: Path) -> None:
    config = replace(CONFIG, batch_size=8, validations=3)
    scores: list[float] = []

    def validate(model: CartModel) -> float:
        scores.append(float(model.begin.detach().abs().sum()))
        return scores[-1]

    undisturbed, examples = toy()
    whole = train(undisturbed, examples, config, 0, validate)
    taken: list[int] = []

    def dies(label: str, done: int, total: int) -> None:
        taken.append(done)
        if done == killed_at:
            raise Killed

    path = tmp_path / "run.pt"
    with pytest.raises(Killed):
        train(toy()[0], examples, config, 0, validate, path, dies, checkpoint_steps=2)
    torch.manual_seed(1234)
    resumed = toy()[0]
    taken.clear()
    progress = train(
        resumed,
        examples,
        config,
        0,
        validate,
        path,
        lambda label, done, total: taken.append(done),
        checkpoint_steps=2,
    )
    assert killed_at - 2 < taken[0] <= killed_at + 1
    assert progress == whole
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_ctrl_c_while_a_checkpoint_is_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.pt"
    model, examples = toy()
    train(model, examples, CONFIG, 0, checkpoint=path)
    kept = path.read_bytes()

    def interrupted(state: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(model, examples, replace(CONFIG, epochs=4), 0, checkpoint=path)
    assert path.read_bytes() == kept
    assert [one.name for one in tmp_path.iterdir()] == ["run.pt"]


def test_a_damaged_checkpoint_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    model, examples = toy()
    train(model, examples, CONFIG, 0, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="Delete it"):
        train(model, examples, CONFIG, 0, checkpoint=path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="Delete it"):
        train(model, examples, CONFIG, 0, checkpoint=path)


def published_rate(step: int, cycle: int, warm: int, low: float, high: float) -> float:
    """The scheduler "cosine annealing warm-up restarts" as its source has it, without decay."""
    within = step % cycle
    if within < warm:
        return (high - low) * within / warm + low
    return low + (high - low) * (1 + np.cos(np.pi * (within - warm) / (cycle - warm))) / 2


def test_the_papers_preset_rises_in_5_epochs_and_restarts_as_the_published_scheduler() -> None:
    """For an epoch of 7 steps; rounds of 30 epochs."""
    epochs = PAPER_TRAINING.epochs_of(7)
    for step in range(epochs * 7):
        factor = learning_rate_factor(step, epochs * 7, PAPER_TRAINING)
        rate = PAPER_TRAINING.learning_rate * factor
        assert rate == pytest.approx(published_rate(step, 30 * 7, 5 * 7, 1e-6, 1e-4))


def test_a_second_round_needs_no_whole_number_of_steps() -> None:
    config = TrainConfig(schedule="restarts", warmup=0.2, cycles=3)
    factors = [learning_rate_factor(step, 100, config) for step in range(100)]
    ends = [33, 66, 99]
    assert [step for step in range(100) if factors[step] < 0.02] == [0, 32, 33, 65, 66, 99]
    assert all(factors[end] < factors[end - 1] and factors[end] < 0.015 for end in ends)
    assert max(factors) <= 1


def test_a_gradient_is_cut_to_the_length_asked_for() -> None:
    model, examples = without_dropout()
    train(model, examples, replace(CONFIG, epochs=1, clip=1e-3), 0)
    cut = [one.grad for one in model.parameters() if one.grad is not None]
    assert torch.linalg.vector_norm(torch.cat([one.flatten() for one in cut])) < 1.1e-3
    train(model, examples, replace(CONFIG, epochs=1, clip=None), 0)
    whole = [one.grad for one in model.parameters() if one.grad is not None]
    assert torch.linalg.vector_norm(torch.cat([one.flatten() for one in whole])) > 1e-2
