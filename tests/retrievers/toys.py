"""Small retrievers and parts of them, simple enough to be right at sight."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from datasets.base import Item, Pairs
from retrievers.base import (
    Availability,
    FloatArray,
    IndexStats,
    Ranking,
    Retriever,
    RetrieverSpec,
    Settings,
)

SPEC = RetrieverSpec(
    name="toy",
    paradigm="dual tower",
    modalities=("image",),
    weights="random",
    licence="Apache-2.0",
)


def picture(value: int) -> np.ndarray:
    return np.full((4, 4, 3), value, np.uint8)


def items(*values: int) -> list[Item]:
    return [Item(f"item-{value}", "image", picture(value)) for value in values]


def direction(*parts: bytes) -> FloatArray:
    """A unit vector of eight dimensions that depends on nothing but the bytes."""
    seed = int.from_bytes(hashlib.blake2b(b"|".join(parts), digest_size=8).digest(), "little")
    vector = np.random.default_rng(seed).standard_normal(8)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class HashEncoder:
    """Vectors drawn from a digest of the content; counts what it is asked to encode."""

    dim = 8

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.encoded: list[object] = []

    @property
    def fingerprint(self) -> str:
        return f"hash-{self.seed}"

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        return {}

    def encode_items(self, items: Sequence[Item]) -> FloatArray:
        self.encoded += [item.id for item in items]
        return self._stacked([_content(item) for item in items])

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        self.encoded += texts
        return self._stacked([text.encode() for text in texts])

    def save(self, folder: Path) -> None:
        (folder / "seed.json").write_text(json.dumps(self.seed))

    def load(self, folder: Path) -> None:
        self.seed = json.loads((folder / "seed.json").read_text())

    def _stacked(self, contents: Sequence[bytes]) -> FloatArray:
        vectors = [direction(str(self.seed).encode(), content) for content in contents]
        return np.array(vectors, np.float32).reshape(-1, self.dim)


def _content(item: Item) -> bytes:
    return item.media.read_bytes() if isinstance(item.media, Path) else item.media.tobytes()


class ToyRetriever:
    """A correct retriever in plain NumPy; the tests break it one method at a time."""

    def __init__(self, seed: int = 0, spec: RetrieverSpec = SPEC) -> None:
        self.spec = spec
        self.encoder = HashEncoder(seed)
        self.gallery: list[Item] | None = None

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        return {}

    def index(self, items: Sequence[Item]) -> IndexStats:
        self.gallery = list(items)
        return IndexStats({}, 0)

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        if self.gallery is None or k < 1:
            raise ValueError("nothing indexed, or no k")
        vectors = self.encoder.encode_items(self.gallery)
        ids = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        for row, query in enumerate(queries):
            found = (vectors * self.encoder.encode_texts([query])).sum(axis=1)
            order = np.argsort(-found, kind="stable")[:k]
            ids[row, : len(order)] = order
            scores[row, : len(order)] = found[order]
        return Ranking(ids, scores)

    def add(self, items: Sequence[Item]) -> None:
        assert self.gallery is not None
        here = {item.id for item in self.gallery}
        if any(item.id in here for item in items):
            raise ValueError("already there")
        self.gallery += items

    def remove(self, ids: Sequence[str]) -> None:
        assert self.gallery is not None
        if not {item.id for item in self.gallery}.issuperset(ids):
            raise ValueError("not there")
        self.gallery = [item for item in self.gallery if item.id not in ids]

    def save(self, folder: Path) -> None:
        assert self.gallery is not None
        np.save(folder / "media.npy", np.stack([np.asarray(item.media) for item in self.gallery]))
        (folder / "ids.json").write_text(json.dumps([item.id for item in self.gallery]))

    def load(self, folder: Path) -> None:
        media = np.load(folder / "media.npy")
        ids = json.loads((folder / "ids.json").read_text())
        self.gallery = [Item(one, "image", array) for one, array in zip(ids, media, strict=True)]


class ToyAdapter:
    """Builds the toy, or the broken form of it that it is given."""

    def __init__(self, kind: type[ToyRetriever] = ToyRetriever) -> None:
        self.kind = kind

    def availability(self, settings: Settings) -> Availability:
        return Availability(True, "always there")

    def describe(self, settings: Settings) -> RetrieverSpec:
        return SPEC

    def build(self, settings: Settings) -> Retriever:
        return self.kind(settings.seed)

    def tiny(self, seed: int) -> Retriever:
        return self.kind(seed)


ADAPTER = ToyAdapter()
