"""Draws scenes with Pillow: jittered colours, slight rotation, shading and grain.

The looks that no caption mentions come from the given generator, so that two pictures of one
scene differ. Drawing is done at twice the size and reduced, which smooths the edges.
"""

from __future__ import annotations

import colorsys
import math
import random
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from datasets.twins.scenes import Scene, Shape

SIDE = 96
SCALE = 2

Colour = tuple[int, int, int]
Corners = list[tuple[float, float]]
FloatArray = npt.NDArray[np.float64]

PAINT: dict[str, Colour] = {
    "red": (210, 30, 40),
    "orange": (245, 140, 20),
    "yellow": (250, 225, 40),
    "green": (25, 140, 55),
    "blue": (30, 75, 215),
    "purple": (135, 40, 165),
    "black": (18, 18, 20),
    "white": (250, 250, 250),
}


def render(scene: Scene, rng: random.Random) -> Image.Image:
    """The scene as an RGB picture of SIDE x SIDE pixels."""
    side = SIDE * SCALE
    picture = GROUND[scene.background](side, rng)
    for shape in scene.objects:
        _draw_shape(picture, shape, rng)
    small = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    return _shade(small, rng)


def _draw_shape(picture: Image.Image, shape: Shape, rng: random.Random) -> None:
    side = picture.width
    turn = math.radians(rng.uniform(-9.0, 9.0))
    corners = outline(shape.shape, (shape.x, shape.y), shape.radius, turn, side)
    paint = jitter(PAINT[shape.colour], rng)
    if shape.fill == "outlined":
        draw_hollow(picture, corners, paint, shape.radius)
        return
    draw_solid(picture, corners, paint)
    if shape.fill != "solid":
        marks = _stripes(shape, side, rng) if shape.fill == "striped" else _dots(shape, side, rng)
        inner = Image.new("L", (side, side), 0)
        ImageDraw.Draw(inner).polygon(corners, fill=255, outline=0, width=_rim(side))
        picture.paste(_mark_colour(shape.colour), mask=_intersect(inner, marks))


def draw_solid(picture: Image.Image, corners: Corners, paint: Colour) -> None:
    """Fill a form, with a darker rim."""
    edge, width = _edge(paint), _rim(picture.width)
    ImageDraw.Draw(picture).polygon(corners, fill=paint, outline=edge, width=width)


def draw_hollow(picture: Image.Image, corners: Corners, paint: Colour, radius: float) -> None:
    """Draw a form's outline alone, as thick as suits its ``radius`` (a fraction of the side)."""
    stroke = max(4, round(0.24 * radius * picture.width))
    closed = [*corners, *corners[:2]]
    ImageDraw.Draw(picture).line(closed, fill=paint, width=stroke, joint="curve")


def outline(
    form: str, centre: tuple[float, float], radius: float, turn: float, side: int
) -> Corners:
    """The corners of a form in pixels; ``turn`` in radians, the others fractions of the side."""
    cos, sin = math.cos(turn), math.sin(turn)
    x, y = centre
    return [
        (
            side * (x + radius * (px * cos - py * sin)),
            side * (y + radius * (px * sin + py * cos)),
        )
        for px, py in FORMS[form]
    ]


def _rim(side: int) -> int:
    return max(2, round(0.011 * side))


def _ring(count: int, radius: float = 1.0, start: float = 0.0) -> list[tuple[float, float]]:
    angles = [start + 2.0 * math.pi * step / count for step in range(count)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]


def _star() -> list[tuple[float, float]]:
    outer = _ring(5, 1.08, -math.pi / 2)
    inner = _ring(5, 0.46, -math.pi / 2 + math.pi / 5)
    return [point for both in zip(outer, inner, strict=True) for point in both]


def _cross() -> list[tuple[float, float]]:
    a, b = 0.34, 0.98
    return [
        (-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a),
        (a, b), (-a, b), (-a, a), (-b, a), (-b, -a), (-a, -a),
    ]  # fmt: skip


def _heart() -> list[tuple[float, float]]:
    points = []
    for step in range(60):
        t = 2.0 * math.pi * step / 60
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((x / 16.5, -(y + 2.5) / 15.5))
    return points


FORMS: dict[str, list[tuple[float, float]]] = {
    "circle": _ring(64, 0.98),
    "square": _ring(4, 1.2, math.pi / 4),
    "triangle": _ring(3, 1.15, -math.pi / 2),
    "star": _star(),
    "cross": _cross(),
    "heart": _heart(),
}


def jitter(colour: Colour, rng: random.Random) -> Colour:
    """A paint near the given one."""
    hue, light, full = colorsys.rgb_to_hls(*(channel / 255 for channel in colour))
    hue = (hue + rng.uniform(-0.01, 0.01)) % 1.0
    light = min(1.0, max(0.0, light + rng.uniform(-0.04, 0.04)))
    red, green, blue = colorsys.hls_to_rgb(hue, light, full)
    return round(red * 255), round(green * 255), round(blue * 255)


def _edge(paint: Colour) -> Colour:
    factor = 0.55 if sum(paint) > 120 else 1.0
    lift = 0 if factor < 1.0 else 70
    return (
        round(paint[0] * factor) + lift,
        round(paint[1] * factor) + lift,
        round(paint[2] * factor) + lift,
    )


def _mark_colour(colour: str) -> Colour:
    return (120, 120, 125) if colour in ("white", "black") else (235, 232, 225)


def _intersect(a: Image.Image, b: Image.Image) -> Image.Image:
    return Image.fromarray(np.minimum(np.asarray(a), np.asarray(b)))


def _grid(side: int) -> tuple[FloatArray, FloatArray]:
    rows, columns = np.mgrid[0:side, 0:side]
    return rows.astype(np.float64), columns.astype(np.float64)


def _stripes(shape: Shape, side: int, rng: random.Random) -> Image.Image:
    angle = math.radians(45 + rng.uniform(-20.0, 20.0))
    rows, columns = _grid(side)
    along = columns * math.cos(angle) + rows * math.sin(angle) + rng.uniform(0.0, 30.0)
    period = max(0.062, 0.42 * shape.radius) * side
    return Image.fromarray(np.where(along % period < 0.45 * period, 255, 0).astype(np.uint8))


def _dots(shape: Shape, side: int, rng: random.Random) -> Image.Image:
    rows, columns = _grid(side)
    period = max(0.07, 0.5 * shape.radius) * side
    x = (columns - shape.x * side + rng.uniform(0, period)) % period - period / 2
    y = (rows - shape.y * side + rng.uniform(0, period)) % period - period / 2
    return Image.fromarray(np.where(x * x + y * y < (0.3 * period) ** 2, 255, 0).astype(np.uint8))


def _noise(side: int, rng: random.Random, deviation: float) -> FloatArray:
    generator = np.random.default_rng(rng.getrandbits(64))
    return generator.normal(0.0, deviation, (side, side, 1))


def _picture(values: FloatArray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _flat(colour: Colour, side: int, rng: random.Random) -> FloatArray:
    return np.ones((side, side, 3)) * np.array(jitter(colour, rng), dtype=np.float64)


def _grey(side: int, rng: random.Random) -> Image.Image:
    return _picture(_flat((158, 158, 162), side, rng))


def _sky(side: int, rng: random.Random) -> Image.Image:
    top, bottom = _flat((120, 185, 235), side, rng), _flat((215, 235, 250), side, rng)
    fall = np.linspace(0.0, 1.0, side)[:, None, None]
    return _picture(top * (1.0 - fall) + bottom * fall)


def _sand(side: int, rng: random.Random) -> Image.Image:
    rows, columns = _grid(side)
    waves = 7.0 * np.sin(rows / side * rng.uniform(40, 55) + 2.0 * np.sin(columns / side * 6))
    return _picture(_flat((222, 196, 150), side, rng) + waves[:, :, None] + _noise(side, rng, 9))


def _meadow(side: int, rng: random.Random) -> Image.Image:
    grain = _noise(side, rng, 30)
    blades = (grain + np.roll(grain, 1, 0) + np.roll(grain, 2, 0) + np.roll(grain, 3, 0)) / 2
    return _picture(_flat((150, 195, 110), side, rng) + blades)


def _checks(side: int, rng: random.Random) -> Image.Image:
    rows, columns = _grid(side)
    step, phase = side / rng.uniform(7.5, 9.0), rng.uniform(0, 20)
    odd = ((rows + phase) // step + (columns + phase) // step) % 2
    light, dark = _flat((205, 205, 205), side, rng), _flat((125, 125, 130), side, rng)
    return _picture(np.where(odd[:, :, None] > 0, light, dark))


def _night(side: int, rng: random.Random) -> Image.Image:
    picture = _picture(_flat((38, 42, 78), side, rng))
    draw = ImageDraw.Draw(picture)
    for _ in range(45):
        x, y, r = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(1.2, 2.6)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(225, 225, 200))
    return picture


def _bricks(side: int, rng: random.Random) -> Image.Image:
    rows, columns = _grid(side)
    height, width = side / rng.uniform(8.5, 10.0), side / rng.uniform(4.3, 5.0)
    course = (rows // height) % 2
    across = (columns + course * width / 2 + rng.uniform(0, width)) % width
    mortar = (rows % height < 0.14 * height) | (across < 0.07 * width)
    brick, joint = _flat((170, 104, 84), side, rng), _flat((205, 195, 185), side, rng)
    return _picture(np.where(mortar[:, :, None], joint, brick) + _noise(side, rng, 6))


def _boards(side: int, rng: random.Random) -> Image.Image:
    rows, columns = _grid(side)
    width = side / rng.uniform(5.0, 6.0)
    at = (columns + rng.uniform(0, width)) % width
    grain = 10.0 * np.sin(columns / side * 160 + 3.0 * np.sin(rows / side * rng.uniform(5, 9)))
    seam = np.where(at < 0.07 * width, -55.0, 0.0)
    return _picture(_flat((150, 112, 72), side, rng) + (grain + seam)[:, :, None])


GROUND: dict[str, Callable[[int, random.Random], Image.Image]] = {
    "grey": _grey,
    "sky": _sky,
    "sand": _sand,
    "meadow": _meadow,
    "checks": _checks,
    "night": _night,
    "bricks": _bricks,
    "boards": _boards,
}


def _shade(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Light falling off to one side, and grain."""
    light = light_from_one_side(picture.width, rng)
    return _picture(np.asarray(picture) * light + _noise(picture.width, rng, rng.uniform(1.0, 3.5)))


def light_from_one_side(side: int, rng: random.Random) -> FloatArray:
    """A factor for each pixel [side, side, 1]."""
    angle, depth = rng.uniform(0, 2 * math.pi), rng.uniform(0.0, 0.14)
    rows, columns = _grid(side)
    slope = ((columns - SIDE / 2) * math.cos(angle) + (rows - SIDE / 2) * math.sin(angle)) / SIDE
    light: FloatArray = rng.uniform(0.93, 1.05) + depth * slope[:, :, None]
    return light
