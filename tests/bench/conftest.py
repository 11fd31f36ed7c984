"""A small dataset of coloured pictures, read from a manifest as a user's own would be."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import pytest
from PIL import Image

COLOURS = ("red", "green", "blue", "white")
SHAPES = ("square", "disc", "star", "ring", "cross", "bar")


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 items, two captions each: half of the items are the gallery."""
    folder = tmp_path_factory.mktemp("toys")
    rows = []
    for number, (colour, shape) in enumerate(itertools.product(COLOURS, SHAPES)):
        name = f"{colour}-{shape}"
        Image.new("RGB", (20, 16), (number * 9, 255 - number * 9, 128)).save(folder / f"{name}.jpg")
        split = ("train", "test")[number % 2] if number != 2 else "validation"
        rows += [(name, f"{name}.jpg", text, split) for text in (f"a {colour} {shape}", shape)]
    with (folder / "toys.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("id", "path", "caption", "split"), *rows])
    return folder / "toys.csv"
