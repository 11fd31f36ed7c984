"""CLIP4Clip: which files it reads and how, what padding and numbers of less precision change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.base import Clip, Item
from datasets.media.sampling import FrameRate
from retrievers.base import FloatArray, Retriever, Settings
from retrievers.conformance_data import QUERIES, items_of_noise
from retrievers.encoders.clip4clip import CLIP4CLIP, TINY, Clip4Clip, opened, told
from retrievers.encoders.clip_frames import FrameRecipe, shown
from retrievers.encoders.opencv_bilinear import resized
from retrievers.encoders.pictures import PictureRecipe
from retrievers.weights.random import seeded
from retrievers.weights.report import CheckpointError
from retrievers.weights.states import State
from tests.rankings import scores_by_row

SMALL = replace(CLIP4CLIP, open=partial(opened, TINY), told=partial(told, TINY))
ITEMS = items_of_noise("video", 5)


@pytest.fixture(scope="module")
def state() -> State:
    """What the authors' code writes after training a transformer over frames."""
    return dict(seeded(0, lambda: Clip4Clip(TINY.clip(), 2, True)).state_dict())


def mean_alone(state: State) -> State:
    return {name: one for name, one in state.items() if name.startswith("clip.")}


def settings(weights: Path, **other: object) -> Settings:
    base = Settings(0, "cpu", weights.parent / "cache", {"model": str(weights)})
    return replace(base, **other)  # type: ignore[arg-type]


def read(folder: Path, holds: Mapping[str, object]) -> Retriever:
    """The adapter on a file of its own, with a cache of its own."""
    folder.mkdir(exist_ok=True)
    torch.save(holds, folder / "weights.pth")
    return SMALL.build(settings(folder / "weights.pth"))


def scores(retriever: Retriever, items: list[Item] = ITEMS) -> FloatArray:
    """[queries, items]"""
    retriever.index(items)
    return scores_by_row(retriever.search(QUERIES, len(items)))


@pytest.mark.parametrize(
    "broken",
    [
        lambda state: {name: one for name, one in state.items() if "conv1" not in name},
        lambda state: {**state, "lstm_visual.weight_ih_l0": torch.zeros(4, 4)},
        lambda state: {**state, "clip.visual.proj": torch.zeros(3, 3)},
        lambda state: {
            name: one for name, one in state.items() if name != "frame_position_embeddings.weight"
        },
    ],
    ids=["missing", "of an LSTM", "another shape", "no places of frames"],
)
def test_a_checkpoint_that_is_not_whole_is_refused(
    state: State, tmp_path: Path, broken: Callable[[State], State]
) -> None:
    with pytest.raises(CheckpointError, match="not a checkpoint of this model"):
        read(tmp_path, broken(state))


def test_a_folder_of_several_epochs_is_refused(state: State, tmp_path: Path) -> None:
    for epoch in range(2):
        torch.save(state, tmp_path / f"pytorch_model.bin.{epoch}")
    with pytest.raises(CheckpointError, match="Name one"):
        SMALL.build(settings(tmp_path))


def test_a_file_says_how_it_is_fed(state: State, tmp_path: Path) -> None:
    whole = read(tmp_path / "whole", state).spec.options
    mean = read(tmp_path / "mean", mean_alone(state)).spec.options
    nested = {"meta": {}, "state_dict": mean_alone(state)}
    of_mmaction = read(tmp_path / "mmaction", nested).spec.options
    assert (whole["layers over frames"], mean["layers over frames"]) == (2, 0)
    assert whole["code"] == mean["code"] == "ArrowLuo/CLIP4Clip"
    assert of_mmaction["code"] == "mmaction2" and "77" in str(of_mmaction["text"])


def test_each_way_to_join_frames_ranks_otherwise(state: State, tmp_path: Path) -> None:
    whole = scores(read(tmp_path / "whole", state))
    mean = scores(read(tmp_path / "mean", mean_alone(state)))
    nested = {"meta": {}, "state_dict": mean_alone(state)}
    of_mmaction = scores(read(tmp_path / "mmaction", nested))
    assert min(abs(whole - mean).max(), abs(mean - of_mmaction).max()) > 1e-3


def test_weights_in_half_precision_are_computed_in_whole(state: State, tmp_path: Path) -> None:
    halves = {name: one.half() if one.ndim > 1 else one for name, one in state.items()}
    rounded = {name: one.float() for name, one in halves.items()}
    of_halves = scores(read(tmp_path / "halves", halves))
    np.testing.assert_allclose(of_halves, scores(read(tmp_path / "whole", rounded)), atol=1e-6)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_other_precisions_come_near(state: State, tmp_path: Path, precision: str) -> None:
    exact = scores(read(tmp_path, state))
    near = scores(SMALL.build(settings(tmp_path / "weights.pth", precision=precision)))
    np.testing.assert_allclose(near, exact, atol=0.03)
    assert not np.array_equal(near, exact)


def test_a_short_video_is_encoded_as_if_alone(state: State, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 256, (20, 40, 48, 3), dtype=np.uint8)
    long = Item("long", "video", Clip(frames, np.arange(20.0)))
    short = Item("short", "video", Clip(frames[:3], np.arange(3.0)))
    together = scores(read(tmp_path / "together", state), [long, short])
    alone = scores(read(tmp_path / "alone", state), [short])
    np.testing.assert_allclose(together[:, 1:], alone, atol=1e-5)


def test_the_transformer_minds_the_order_of_frames_and_the_mean_does_not(
    state: State, tmp_path: Path
) -> None:
    frames = np.random.default_rng(4).integers(0, 256, (6, 40, 48, 3), dtype=np.uint8)
    both = [
        Item("forth", "video", Clip(frames, np.arange(6.0))),
        Item("back", "video", Clip(frames[::-1].copy(), np.arange(6.0))),
    ]
    forth, back = scores(read(tmp_path / "mean", mean_alone(state)), both).T
    np.testing.assert_allclose(forth, back, atol=1e-5)
    forth, back = scores(read(tmp_path / "whole", state), both).T
    assert abs(forth - back).max() > 1e-4


@pytest.mark.parametrize("grey", [0, 123, 255])
def test_no_frame_passes_for_padding(grey: int) -> None:
    clip = Clip(np.full((3, 40, 48, 3), grey, np.uint8), np.arange(3.0))
    recipe = FrameRecipe(FrameRate(1, 5), PictureRecipe(32).picture)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        frames = torch.stack(list(recipe.videos([Item("grey", "video", clip)]))).to(dtype)
        assert shown(frames).tolist() == [[True, True, True, False, False]]


def test_resized_as_opencv_by_hand() -> None:
    row = np.array([[[0] * 3, [255] * 3]], np.uint8)
    assert resized(row, 1, 4)[0, :, 0].tolist() == [0, 64, 191, 255]
    tile = np.random.default_rng(5).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    assert np.array_equal(resized(tile, 8, 6), tile)
    blocks = tile.reshape(4, 2, 3, 2, 3).astype(int)
    assert np.array_equal(resized(tile, 4, 3), (blocks.sum(axis=(1, 3)) + 2) // 4)
    part = slice(3, 9), slice(2, 5)
    assert np.array_equal(resized(tile, 11, 13, part), resized(tile, 11, 13)[part])
