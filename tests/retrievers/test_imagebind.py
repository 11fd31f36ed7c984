"""ImageBind: what it refuses to load, what it takes from a file, and how it scores."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from datasets.base import Clip, Item, Sound
from retrievers.base import Encoder, Precision, Retriever, Settings
from retrievers.dual_tower import DualTower
from retrievers.encoders.imagebind import IMAGEBIND, ClipEnds, adapter
from retrievers.encoders.imagebind_network import Config, ImageBind, Trunk
from retrievers.weights.report import CheckpointError
from tests.parity import goldens
from tests.parity.seeded import seeded_state
from tests.parity.test_imagebind import SMALL


@pytest.fixture(scope="module")
def released() -> dict[str, Tensor]:
    """Weights in the released layout, at a small size."""
    return seeded_state(goldens.read("imagebind").shapes)


def _built(folder: Path, state: dict[str, Tensor], precision: Precision = "fp32") -> Retriever:
    torch.save(state, folder / "imagebind_huge.pth")
    settings = Settings(0, "cpu", folder, {"model": str(folder)}, precision)
    return adapter(SMALL).build(settings)


def _encoder(retriever: Retriever) -> Encoder:
    assert isinstance(retriever, DualTower)
    return retriever._encoder


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("modality_trunks.audio.blocks.1.attn.bias_k", "audio.blocks.1.attention.bias_k) missing"),
        ("modality_heads.text.proj.1.weight", "text.projection.weight) missing"),
        ("modality_trunks.vision.blocks.3.norm_1.weight", "vision.blocks.3.norm1.weight) not used"),
        ("modality_heads.audio.2.weight", "audio.projection.weight) of another shape"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    tmp_path: Path, released: dict[str, Tensor], name: str, wrong: str
) -> None:
    state = dict(released)
    if wrong.endswith("missing"):
        del state[name]
    else:
        state[name] = torch.zeros(7)
    with pytest.raises(CheckpointError, match=re.escape(f"1 ({wrong}")):
        _built(tmp_path, state)


def test_the_senses_that_are_left_out_need_not_be_there(
    tmp_path: Path, released: dict[str, Tensor]
) -> None:
    left_out = re.compile(r"modality_\w+\.(depth|thermal|imu)\.")
    _built(tmp_path, {name: one for name, one in released.items() if not left_out.match(name)})


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_near(
    tmp_path: Path, released: dict[str, Tensor], precision: Precision
) -> None:
    rng = np.random.default_rng(0)
    items = [
        Item("picture", "image", rng.integers(0, 256, (50, 60, 3), np.uint8)),
        Item("sound", "audio", Sound(rng.random((1, 40_000), np.float32) - 0.5, 16_000)),
    ]
    texts = ["a red disc", "two dogs on a beach"]
    scores = []
    for each in ("fp32", precision):
        encoder = _encoder(_built(tmp_path, released, each))
        scores.append(encoder.encode_texts(texts) @ encoder.encode_items(items).T)
    assert np.abs(scores[0] - scores[1]).max() < (0.05 if precision == "bf16" else 0.01)


def test_the_score_of_a_clip_is_lower_the_more_its_views_differ() -> None:
    encoder = _encoder(IMAGEBIND.tiny(0))
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (28, 28, 3), np.uint8)
    still = Clip(np.repeat(picture[None], 60, axis=0), np.arange(60) / 10)
    moving = Clip(rng.integers(0, 256, (60, 28, 28, 3), np.uint8), np.arange(60) / 10)
    items = [
        Item("still", "video", still),
        Item("picture", "image", picture),
        Item("moving", "video", moving),
    ]
    vectors = encoder.encode_items(items)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-3)
    lengths = np.linalg.norm(vectors[:, :-1], axis=1)
    assert lengths[0] > 0.999 > lengths[2] > 0.1
    assert not encoder.encode_texts(["a text"])[:, -1].any()


def test_what_follows_the_end_of_a_text_does_not_change_it() -> None:
    trunk = Trunk(width=16, layers=2, heads=2)
    config = Config(8, trunk, trunk, trunk, vocabulary=100, context=12)
    network = ImageBind(config).eval()
    text = torch.tensor([[98, 5, 6, 99, 0, 0, 0, 0, 0, 0, 0, 0]])
    followed = torch.where(torch.arange(12) > 3, 50, text)
    with torch.inference_mode():
        vector, same = network.text(text), network.text(followed)
        other = network.text(torch.where(torch.arange(12) == 1, 50, text))
    assert torch.allclose(vector, same, atol=1e-6)
    assert not torch.allclose(vector, other, atol=1e-3)


@pytest.mark.parametrize("samples", [1, 300, 20_000, 31_999, 100_003])
def test_a_sound_of_any_length_has_a_vector(samples: int) -> None:
    encoder = _encoder(IMAGEBIND.tiny(0))
    noise = np.random.default_rng(0).random((2, samples), np.float32) - 0.5
    vectors = encoder.encode_items([Item("sound", "audio", Sound(noise, 16_000))])
    assert np.linalg.norm(vectors) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("rate", "same"), [(24.0, 0.95), (25.0, 0.9), (30_000 / 1001, 0.85), (30.0, 0.95), (12.0, 0.6)]
)
def test_frames_are_those_of_the_published_preparation(rate: float, same: float) -> None:
    found = []
    for frames in range(3, 1500, 7):
        seconds = np.arange(frames) / rate
        times = ClipEnds().times(frames / rate)
        ours = np.abs(times[:, None] - seconds).argmin(axis=1)
        found.append(ours - _published(frames, rate))
    apart = np.abs(found)
    assert apart.max() <= 1
    assert (apart == 0).mean() > same


def _published(frames: int, rate: float) -> list[int]:
    """First and last frame of 5 stretches of 2 s: from the start on, up to before the end."""
    room = max(frames / rate - 2, 0)
    numbers = []
    for place in range(5):
        start = room * place / 4
        numbers.append(math.ceil(rate * start))
        numbers.append(min(math.ceil(rate * (start + 2)), frames) - 1)
    return numbers
