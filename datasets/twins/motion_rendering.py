"""Draws moving scenes frame by frame, with the brushes of ``scene_rendering``.

The looks that no caption mentions (shade of a colour, slight rotation, light, texture) come from
the given generator and stay the same for the whole clip.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from datasets.base import ByteArray
from datasets.twins.moving_scenes import SECONDS, Mover, MovingScene, pose
from datasets.twins.scene_rendering import (
    GROUND,
    PAINT,
    SCALE,
    SIDE,
    Colour,
    draw_hollow,
    draw_solid,
    jitter,
    light_from_one_side,
    outline,
)

FRAME_RATE = 8
FRAMES = round(SECONDS * FRAME_RATE)
LEAN_DEGREES = 9.0


@dataclass(frozen=True)
class _Look:
    paint: Colour
    lean: float


def frames(scene: MovingScene, rng: random.Random) -> ByteArray:
    """The clip, [FRAMES, SIDE, SIDE, 3]; frame k shows the moment (k + 1/2) / FRAME_RATE."""
    ground = GROUND[scene.background](SIDE * SCALE, rng)
    looks = [
        _Look(jitter(PAINT[mover.colour], rng), rng.uniform(-LEAN_DEGREES, LEAN_DEGREES))
        for mover in scene.movers
    ]
    light = light_from_one_side(SIDE, rng).astype(np.float32)
    shown = []
    for number in range(FRAMES):
        picture = ground.copy()
        for mover, look in zip(scene.movers, looks, strict=True):
            _draw(picture, mover, look, (number + 0.5) / FRAME_RATE)
        shown.append(np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX)))
    return np.clip(np.stack(shown) * light, 0, 255).astype(np.uint8)


def _draw(picture: Image.Image, mover: Mover, look: _Look, seconds: float) -> None:
    at = pose(mover, seconds)
    if not at.visible:
        return
    turn = math.radians(at.turn + look.lean)
    corners = outline(mover.shape, (at.x, at.y), at.radius, turn, picture.width)
    if mover.fill == "outlined":
        draw_hollow(picture, corners, look.paint, at.radius)
    else:
        draw_solid(picture, corners, look.paint)
