"""A CLIP text tower as it is, every text padded to 77 tokens, and as it is served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from retrievers.encoders.openclip_small import small_clip
from retrievers.serving.clip_text import CLIP_TEXT, random_clip
from retrievers.serving.text_towers import PaddedEncoder, trimmed
from tests.benchmarks.seeded import QUERIES, captions

CPU = torch.device("cpu")


@pytest.mark.parametrize("make", [PaddedEncoder, trimmed], ids=["padded", "trimmed"])
@torch.inference_mode()
def test_a_clip_text_tower_of_100_queries(
    benchmark: BenchmarkFixture, make: Callable[..., Any]
) -> None:
    text = {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 4}
    network = random_clip(0, {**small_clip(quick_gelu=True), "text_cfg": text})
    encoder = make(CLIP_TEXT, network, "fp32", CPU)
    vectors = benchmark(encoder.encode, CLIP_TEXT.tokenise(captions(QUERIES)))
    assert vectors.isfinite().all()
