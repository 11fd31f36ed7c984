"""The fusion and the losses against the paper's equations, written out with loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cart.config import CoarseGate, ModelConfig, TrainConfig
from cart.fusion import Fusion, Memory
from cart.loss import bidirectional_kl, cart_loss
from cart.model import CartModel
from cart.targets import Targets

CONFIG = ModelConfig(
    width=8, heads=2, feed_forward=16, encoder_layers=3, decoder_layers=2, dropout=0.0
)


def sure(wanted: torch.Tensor) -> Targets:
    """One identifier a query, wanted [batch, length]."""
    return Targets(wanted[:, None], torch.ones(len(wanted), 1))


def attention(fusion: Fusion, y: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """C(Y, E) of one example, head by head: y [positions, width], memory [length, width]."""
    query = fusion.query(y)
    key, value = fusion.key_value(memory).chunk(2, dim=-1)
    half = CONFIG.width // CONFIG.heads
    heads = []
    for head in range(CONFIG.heads):
        part = slice(head * half, (head + 1) * half)
        weight = (query[:, part] @ key[:, part].T / half**0.5).softmax(dim=-1)
        heads.append(weight @ value[:, part])
    return fusion.output(torch.cat(heads, dim=-1))


@pytest.mark.parametrize("gate", ["sigmoid", "self-gated", "off"])
@pytest.mark.parametrize("fine", [True, False])
def test_fusion_is_equations_2_to_5(gate: CoarseGate, fine: bool) -> None:
    torch.manual_seed(0)
    config = replace(CONFIG, coarse_gate=gate, fine_fusion=fine)
    memory_of, fusion = Memory(config), Fusion(config)
    layers = [torch.randn(1, 5, 8) for _ in range(3)]
    y = torch.randn(1, 4, 8)
    memory = memory_of(layers)
    assert memory.shape[1] == memory_of.count
    key, value = fusion.project(memory)
    mask = torch.ones(1, 1, 1, 1, 5, dtype=torch.bool)
    found = fusion(y, key, value, mask)[0]

    outputs = [norm(layer[0]) for norm, layer in zip(memory_of.norms, layers, strict=True)]
    expected = torch.zeros(4, 8)
    if gate != "off":
        assert memory_of.concatenated is not None
        z = memory_of.concatenated(torch.cat(outputs, dim=-1))
        context = attention(fusion, y[0], z)
        gated = torch.sigmoid(context) * (1 if gate == "sigmoid" else context)
        expected = expected + gated / 3
    if fine:
        for i, output in enumerate(outputs):
            context = attention(fusion, y[0], output)
            of_y = fusion.weight_of_input.weight[8 * i : 8 * (i + 1)]
            bias = fusion.weight_of_input.bias[8 * i : 8 * (i + 1)]
            w = torch.cat([of_y, fusion.weight_of_context[i].T], dim=1)
            alpha = torch.sigmoid(torch.cat([y[0], context], dim=-1) @ w.T + bias)
            expected = expected + alpha * context
    if gate == "off" and not fine:
        expected = attention(fusion, y[0], outputs[-1])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_equation_7_sums_both_directions() -> None:
    p, q = torch.tensor([[0.7, 0.2, 0.1]]), torch.tensor([[0.5, 0.25, 0.25]])
    forward = sum(a * np.log(a / b) for a, b in zip(p[0].tolist(), q[0].tolist(), strict=True))
    back = sum(b * np.log(b / a) for a, b in zip(p[0].tolist(), q[0].tolist(), strict=True))
    assert float(bidirectional_kl(p.log(), q.log())) == pytest.approx(forward + back, abs=1e-6)
    assert float(bidirectional_kl(p.log(), p.log())) == 0


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    ids = torch.tensor([[1, 2, 3], [4, 5, 0]])
    return ids, ids != 0, torch.tensor([[1, 2, 0], [3, 0, 1]])


def test_without_dropout_the_loss_is_the_negative_log_likelihood_of_equation_6() -> None:
    torch.manual_seed(0)
    model = CartModel(CONFIG, vocabulary=9, levels=[4, 3, 2])
    ids, mask, wanted = batch()
    logits = model.decode(model.encode(ids, mask), wanted)
    expected = sum(
        F.nll_loss(level.log_softmax(-1), wanted[:, i]) for i, level in enumerate(logits)
    )
    for consistency in ("off", "decoder", "model"):
        config = TrainConfig(consistency=consistency)  # type: ignore[arg-type]
        torch.testing.assert_close(cart_loss(model, ids, mask, sure(wanted), config), expected)


@pytest.mark.parametrize("consistency", ["decoder", "model"])
def test_with_dropout_the_consistency_loss_adds_to_it(consistency: str) -> None:
    model = CartModel(replace(CONFIG, dropout=0.5), vocabulary=9, levels=[4, 3, 2]).train()
    ids, mask, wanted = batch()
    losses = []
    for weight in (0.0, 1.0):
        torch.manual_seed(1)
        config = TrainConfig(consistency=consistency, consistency_weight=weight)  # type: ignore[arg-type]
        losses.append(float(cart_loss(model, ids, mask, sure(wanted), config)))
    assert losses[1] > losses[0]


def test_a_later_token_does_not_reach_an_earlier_prediction() -> None:
    torch.manual_seed(0)
    model = CartModel(CONFIG, vocabulary=9, levels=[4, 3, 2]).eval()
    ids, mask, wanted = batch()
    encoded = model.encode(ids, mask)
    changed = wanted.clone()
    changed[:, 1] = (changed[:, 1] + 1) % 3
    before, after = model.decode(encoded, wanted), model.decode(encoded, changed)
    torch.testing.assert_close(before[0], after[0])
    torch.testing.assert_close(before[1], after[1])
    assert not torch.allclose(before[2], after[2])


def test_room_for_more_counters_keeps_what_was_learned() -> None:
    torch.manual_seed(0)
    model = CartModel(CONFIG, vocabulary=9, levels=[4, 3, 2]).eval()
    ids, mask, wanted = batch()
    before = model.decode(model.encode(ids, mask), wanted)[-1]
    model.reserve_unique(6)
    model.reserve_unique(3)
    after = model.decode(model.encode(ids, mask), wanted)[-1]
    assert model.levels == [4, 3, 6]
    torch.testing.assert_close(after[:, :2], before)
    assert after.shape == (2, 6)
