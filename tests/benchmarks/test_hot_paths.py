"""Search, indexing and training steps, on seeded data of a fixed size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from cart.beam import beam_search
from cart.config import IdentifierConfig, ModelConfig, TrainConfig
from cart.identifiers import Quantizers, fit_quantizers, identifiers
from cart.loss import cart_loss
from cart.model import CartModel
from cart.prefix_tree import PrefixTree
from cart.tokenizer import encode, pad, train_tokenizer
from retrievers.base import FloatArray, VectorIndex
from retrievers.indexes import FaissFlat, TorchExact

QUERIES, GALLERY, TOKENS = 100, 20_000, 16
LEVELS = [128, 128, 128, 8]


def unit_vectors(count: int, seed: int, dim: int = 256) -> FloatArray:
    vectors = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def model() -> CartModel:
    torch.manual_seed(0)
    return CartModel(
        ModelConfig(feed_forward=512, encoder_layers=3, decoder_layers=3),
        vocabulary=2000,
        levels=LEVELS,
    )


@pytest.fixture(scope="module")
def gallery() -> np.ndarray:
    random = np.random.default_rng(0)
    return identifiers(random.integers(0, 128, (GALLERY, 3)))


@pytest.fixture(scope="module")
def quantizers() -> Quantizers:
    return fit_quantizers(unit_vectors(1000, 1), IdentifierConfig(epochs=1), seed=0)


def queries() -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(1)
    return pad(random.integers(2, 2000, (QUERIES, TOKENS)).tolist())


@pytest.mark.parametrize("index", [TorchExact("cpu"), FaissFlat()], ids=["torch", "faiss"])
def test_exact_search_of_100_queries(benchmark: BenchmarkFixture, index: VectorIndex) -> None:
    index.build(unit_vectors(GALLERY, 0))
    ranking = benchmark(index.search, unit_vectors(QUERIES, 1), 10)
    assert (ranking.ids >= 0).all()


@pytest.mark.parametrize("beam", [10, 50])
def test_beam_search_of_100_queries(
    benchmark: BenchmarkFixture, model: CartModel, gallery: np.ndarray, beam: int
) -> None:
    tree = PrefixTree.build(gallery)
    ids, mask = queries()
    found = benchmark(beam_search, model.eval(), tree, ids, mask, 10, beam, "nothing")
    assert (found.items >= 0).all()


def test_prefix_tree_of_20000_items(benchmark: BenchmarkFixture, gallery: np.ndarray) -> None:
    tree = benchmark(PrefixTree.build, gallery)
    assert len(tree.items) == GALLERY


def test_identifiers_of_20000_items(benchmark: BenchmarkFixture, quantizers: Quantizers) -> None:
    vectors = unit_vectors(GALLERY, 2)
    codes = benchmark(lambda: identifiers(quantizers.codes(vectors)))
    assert codes.shape == (GALLERY, 4)


def test_tokenising_1000_captions(benchmark: BenchmarkFixture) -> None:
    captions = [f"a photo of {n} dogs left of the {n % 7} red houses" for n in range(1000)]
    tokenizer = train_tokenizer(captions, 500)
    tokens = benchmark(encode, tokenizer, captions, 64)
    assert len(tokens) == 1000


@pytest.mark.parametrize("consistency", ["off", "decoder", "model"])
def test_training_step_of_256_pairs(
    benchmark: BenchmarkFixture, model: CartModel, consistency: str
) -> None:
    random = np.random.default_rng(2)
    ids, mask = pad(random.integers(2, 2000, (256, TOKENS)).tolist())
    wanted = torch.from_numpy(np.stack([random.integers(0, size, 256) for size in LEVELS], axis=1))
    optimizer = torch.optim.AdamW(model.parameters())
    config = TrainConfig(consistency=consistency)  # type: ignore[arg-type]

    def step() -> float:
        loss = cart_loss(model.train(), ids, mask, wanted, config)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    assert np.isfinite(benchmark(step))
