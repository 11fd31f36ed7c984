"""From texts to tokens and vectors: CART's side, and CLIP's tokens."""

from __future__ import annotations

import torch
from pytest_benchmark.fixture import BenchmarkFixture

from cart.tokenizer import encode, pad, train_tokenizer
from retrievers.encoders.openclip_tokens import clip_tokens
from tests.benchmarks.seeded import captions, cart_model, token_rows


def test_tokenising_1000_captions_by_bytes(benchmark: BenchmarkFixture) -> None:
    texts = captions(1000)
    tokens = benchmark(encode, train_tokenizer(texts, 500), texts, 64)
    assert len(tokens) == 1000


def test_tokenising_1000_captions_as_clip_does(benchmark: BenchmarkFixture) -> None:
    split = clip_tokens()
    rows = benchmark(lambda: torch.stack(list(split(captions(1000)))))
    assert rows.shape == (1000, 77)


@torch.inference_mode()
def test_carts_encoder_of_100_queries(benchmark: BenchmarkFixture) -> None:
    ids, mask = pad(token_rows())
    encoded = benchmark(cart_model().encode, ids, mask)
    assert encoded.keys[0].isfinite().all()
