"""CLIP2Video: strict loading, two vectors a side, the padding of texts and short videos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.base import Clip, Item
from retrievers.base import FloatArray, Retriever, Settings
from retrievers.conformance_data import QUERIES, STRANGE, items_of_noise
from retrievers.encoders.clip2video import CLIP2VIDEO, TINY, opened
from retrievers.encoders.openclip_tokens import clip_tokens
from retrievers.weights.random import seeded
from retrievers.weights.report import CheckpointError
from retrievers.weights.states import State
from tests.rankings import scores_by_row

SMALL = replace(CLIP2VIDEO, open=partial(opened, TINY))
ITEMS = items_of_noise("video", 5)


@pytest.fixture(scope="module")
def state() -> State:
    return dict(seeded(0, TINY.network).state_dict())


def settings(weights: Path, **other: object) -> Settings:
    base = Settings(0, "cpu", weights / "cache", {"model": str(weights)})
    return replace(base, **other)  # type: ignore[arg-type]


def read(folder: Path, state: State) -> Retriever:
    """The adapter on a folder of its own, with a cache of its own."""
    folder.mkdir(exist_ok=True)
    torch.save(state, folder / "pytorch_model.bin.2")
    return SMALL.build(settings(folder))


def scores(retriever: Retriever, items: list[Item] = ITEMS) -> FloatArray:
    """[queries, items]"""
    retriever.index(items)
    return scores_by_row(retriever.search(QUERIES, len(items)))


@pytest.mark.parametrize(
    "broken",
    [
        lambda state: {name: one for name, one in state.items() if name != "weight_center"},
        lambda state: {**state, "frame2t_projection": torch.zeros(4, 4)},
        lambda state: {**state, "emb_center": torch.zeros(3, 3)},
    ],
    ids=["missing", "of another difference block", "another shape"],
)
def test_a_checkpoint_that_is_not_whole_is_refused(
    state: State, tmp_path: Path, broken: Callable[[State], State]
) -> None:
    with pytest.raises(CheckpointError, match="not a checkpoint of this model"):
        read(tmp_path, broken(state))


def test_as_many_centres_as_the_checkpoint_has(state: State, tmp_path: Path) -> None:
    centres = torch.randn(2, 7, TINY.clip()["embed_dim"])
    more = {**state, "weight_center": centres[0], "emb_center": centres[1]}
    of_more = scores(read(tmp_path / "more", more))
    assert abs(of_more - scores(read(tmp_path / "fewer", state))).max() > 1e-4


def test_a_side_is_two_unit_vectors() -> None:
    network = seeded(0, TINY.network).eval()
    frames = torch.randn(2, 12, 3, 32, 32)
    frames[0, 5:] = 0
    tokens = torch.stack(list(clip_tokens(32)([*QUERIES, *STRANGE, ""])))
    with torch.inference_mode():
        for rows in (network.encode_videos(frames), network.encode_texts(tokens)):
            halves = rows.unflatten(1, (2, -1)).norm(dim=2)
            torch.testing.assert_close(halves, torch.ones_like(halves))


def test_padding_of_a_text_changes_nothing() -> None:
    network = seeded(0, TINY.network).eval()
    with torch.inference_mode():
        short, long = (
            network.encode_texts(torch.stack(list(clip_tokens(length)(QUERIES))))
            for length in (20, 32)
        )
    torch.testing.assert_close(short, long)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_other_precisions_come_near(state: State, tmp_path: Path, precision: str) -> None:
    exact = scores(read(tmp_path, state))
    near = scores(SMALL.build(settings(tmp_path, precision=precision)))
    np.testing.assert_allclose(near, exact, atol=0.03)
    assert not np.array_equal(near, exact)


def test_a_short_video_is_encoded_as_if_alone(state: State, tmp_path: Path) -> None:
    frames = np.random.default_rng(3).integers(0, 256, (20, 40, 48, 3), dtype=np.uint8)
    long = Item("long", "video", Clip(frames, np.arange(20) / 5))
    short = Item("short", "video", Clip(frames[:5], np.arange(5) / 5))
    frame = Item("frame", "video", Clip(frames[:1], np.zeros(1)))
    together = scores(read(tmp_path / "together", state), [long, short, frame])
    alone = [scores(read(tmp_path / one.id, state), [one]) for one in (short, frame)]
    assert np.isfinite(together).all()
    np.testing.assert_allclose(together[:, 1:], np.concatenate(alone, axis=1), atol=1e-5)
