"""Seeded data of a fixed size for the benchmarks."""

from __future__ import annotations

import numpy as np
import torch

from cart.config import ModelConfig
from cart.identifiers import identifiers
from cart.model import CartModel
from retrievers.base import FloatArray, IntArray

QUERIES, GALLERY, MANY = 100, 20_000, 1_000_000
CODES = 128
LEVELS = [CODES, CODES, CODES, 16]


def unit_vectors(count: int, seed: int, dim: int = 256) -> FloatArray:
    vectors = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def code_prefixes(count: int) -> IntArray:
    return np.random.default_rng(0).integers(0, CODES, (count, 3))


def some_identifiers(count: int) -> IntArray:
    return identifiers(code_prefixes(count))


def captions(count: int) -> list[str]:
    return [f"a photo of {n} dogs left of the {n % 7} red houses" for n in range(count)]


def token_rows(count: int = QUERIES, vocabulary: int = 2000) -> list[list[int]]:
    """Rows of 8 to 24 tokens."""
    random = np.random.default_rng(1)
    lengths = random.integers(8, 25, count)
    return [random.integers(2, vocabulary, length).tolist() for length in lengths]


def cart_model() -> CartModel:
    """Random weights: of the paper's depth, but narrow."""
    torch.manual_seed(0)
    config = ModelConfig(feed_forward=512, encoder_layers=3, decoder_layers=3)
    return CartModel(config, vocabulary=2000, levels=LEVELS).eval()


def surer_model() -> CartModel:
    """The same with logits four times as far apart: random weights are next to indifferent, and a
    beam over what is indifferent is certified nowhere."""
    model = cart_model()
    with torch.no_grad():
        for parameter in model.heads.parameters():
            parameter.mul_(4)
    return model
