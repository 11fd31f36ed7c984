"""What the conformance suite asks and shows: noise of each modality, texts of no meaning."""

from __future__ import annotations

import numpy as np

from datasets.base import ByteArray, Clip, Item, Modality, Pairs, Sound

_RATE = 16_000
QUERIES = (
    "a red disc left of a blue square",
    "two dogs",
    "nothing of the kind",
    "a red disc",
    "the street at night, seen from above",
    "x",
    "a man holding a small striped umbrella",
)
STRANGE = (
    "żółta łódź 🚤 на озере",
    "湖の上の黄色いボート",
    "زورق أصفر في البحيرة",
    "cafe\u0301 \u200f\u200b \ufeff",
    "\x00\t\n",
    "word " * 2000,
    "w" * 5000,
)


def items_of_noise(modality: Modality, count: int) -> list[Item]:
    """Items of noise that are the same at each call, and the first of a longer list."""
    return _items(modality, range(count))


def pairs_of_noise(modality: Modality, first: int, count: int) -> Pairs:
    """Items ``first`` and following, under other ids, each with two captions."""
    items = _items(modality, range(first, first + count))
    rows = tuple(row for row in range(count) for _ in range(2))
    captions = tuple(f"noise {first + row} told {telling}" for telling, row in enumerate(rows))
    renamed = tuple(Item(f"pair-{item.id}", item.modality, item.media) for item in items)
    return Pairs(renamed, captions, rows)


def _items(modality: Modality, rows: range) -> list[Item]:
    return [Item(f"item-{row}", modality, _noise(modality, row)) for row in rows]


def _noise(modality: Modality, seed: int) -> ByteArray | Sound | Clip:
    """The same noise for the same seed: a picture, a second of sound, or a clip of four frames."""
    rng = np.random.default_rng(seed)
    match modality:
        case "image":
            return rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)
        case "audio":
            loudness = rng.uniform(0.01, 0.5, 8).repeat(_RATE // 8)
            return Sound((loudness * rng.uniform(-1, 1, (1, _RATE))).astype(np.float32), _RATE)
        case "video":
            frames = rng.integers(0, 256, (4, 40, 48, 3), dtype=np.uint8)
            return Clip(frames, np.arange(4) / 2)
