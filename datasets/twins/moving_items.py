"""Items of the video twins: a moving scene, its captions and its clip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datasets.twins.clip_file import Encoding, write_clip
from datasets.twins.motion_captions import Caption, Manner, describe
from datasets.twins.motion_rendering import FRAME_RATE, frames
from datasets.twins.moving_sampling import sample_moving_scene, sibling
from datasets.twins.moving_scenes import MovingScene
from datasets.twins.spots import Spot, often_sibling

SIBLING_SHARE = 0.55


@dataclass(frozen=True)
class Example:
    scene: MovingScene
    captions: tuple[Caption, ...]


def example_at(spot: Spot, captions: int, manner: Manner) -> Example:
    """The item at a spot, without its clip."""
    scene = scene_at(spot)
    return Example(scene, tuple(describe(scene, spot.generator("captions"), captions, manner)))


def scene_at(spot: Spot) -> MovingScene:
    """The scene of an item, often a sibling of that of its even neighbour."""
    return often_sibling(spot, "scene", SIBLING_SHARE, sample_moving_scene, sibling)


def write_scene(path: Path, spot: Spot, encoding: Encoding) -> None:
    """Draw the item's clip and write it."""
    write_clip(path, frames(scene_at(spot), spot.generator("looks")), FRAME_RATE, encoding)
