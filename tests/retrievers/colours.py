"""Pictures of a colour and a shape, captions that say both, and an encoder that reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from datasets.base import Item, Pairs
from retrievers.base import FloatArray

COLOURS = ("red", "green", "blue", "white")
SHAPES = ("disc", "square", "star")


class ColourEncoder:
    """Reads an item's colour and shape from the two bytes of its picture."""

    dim = len(COLOURS) + len(SHAPES)
    fingerprint = "colours and shapes"

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        return {"nothing": 0.0}

    def encode_items(self, items: Sequence[Item]) -> FloatArray:
        vectors = np.zeros((len(items), self.dim), np.float32)
        for row, item in enumerate(items):
            assert isinstance(item.media, np.ndarray)
            colour, shape, _ = item.media[0, 0].tolist()
            vectors[row, [colour, len(COLOURS) + shape]] = 0.5**0.5
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for place, word in enumerate((*COLOURS, *SHAPES)):
                vectors[row, place] = word in text
        return vectors

    def save(self, folder: Path) -> None:
        (folder / "colours").touch()

    def load(self, folder: Path) -> None:
        assert (folder / "colours").exists()


def items(prefix: str, copies: int) -> tuple[Item, ...]:
    return tuple(
        Item(
            f"{prefix}{colour}{shape}{copy}", "image", np.array([[[colour, shape, copy]]], np.uint8)
        )
        for colour in range(len(COLOURS))
        for shape in range(len(SHAPES))
        for copy in range(copies)
    )


def captions_of(things: Sequence[Item], word: str) -> Pairs:
    texts = []
    for item in things:
        assert isinstance(item.media, np.ndarray)
        colour, shape, _ = item.media[0, 0].tolist()
        texts.append(f"{word} {COLOURS[colour]} {SHAPES[shape]}")
    return Pairs(tuple(things), tuple(texts), tuple(range(len(texts))))
