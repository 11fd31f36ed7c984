"""Items of the picture twins: a scene and its captions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from PIL import Image

from datasets.twins.scene_captions import Caption, describe
from datasets.twins.scene_rendering import render
from datasets.twins.scenes import Scene, sample_scene, sibling
from datasets.twins.spots import Spot, often_sibling

SIBLING_SHARE = 0.6


@dataclass(frozen=True)
class Example:
    scene: Scene
    captions: tuple[Caption, ...]


def example_at(spot: Spot, captions: int, crowd: Mapping[int, float]) -> Example:
    """The item at a spot, without its picture; ``crowd`` weighs the numbers of objects."""
    scene = scene_at(spot, crowd)
    return Example(scene, tuple(describe(scene, spot.generator("captions"), captions)))


def scene_at(spot: Spot, crowd: Mapping[int, float]) -> Scene:
    """The scene of an item, often a sibling of that of its even neighbour."""
    draw = partial(sample_scene, crowd=crowd)
    return often_sibling(spot, "scene", SIBLING_SHARE, draw, sibling)


def picture(spot: Spot, scene: Scene) -> Image.Image:
    """The item's scene, drawn."""
    return render(scene, spot.generator("looks"))
