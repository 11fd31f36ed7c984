"""Towers made of a network: things prepared one by one, encoded a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from datasets.base import Item, Pairs
from retrievers.base import FloatArray, Precision, RetrieverSpec, Settings
from retrievers.dual_tower import DualTower
from retrievers.embedding_cache import CachedTower, Tower, item_key
from retrievers.indexes import TorchExact
from retrievers.weights.releases import Located, Release
from retrievers.weights.report import CheckpointError

T = TypeVar("T")
V = TypeVar("V")

# One tensor a thing, all of one shape: pixels, frames, samples, or a row of token numbers.
Prepare = Callable[[Sequence[T]], Iterable[Tensor]]
# [batch, ...] -> [batch, dim]
Forward = Callable[[Tensor], Tensor]

_ROWS_AT_ONCE = 1 << 14
_TOWERS = "towers.json"

# Things encoded at once, and written at once: a large network on a processor needs minutes for as
# many, which is what a killed run loses.
BATCH = 32

_DTYPES: Mapping[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


@dataclass(frozen=True)
class Placement:
    """Where a network computes, and in which numbers."""

    device: str
    precision: Precision = "fp32"

    @property
    def dtype(self) -> torch.dtype:
        return _DTYPES[self.precision]

    def put(self, network: nn.Module) -> nn.Module:
        """The network there, in those numbers, ready to answer."""
        return network.to(device=self.device, dtype=self.dtype).eval().requires_grad_(False)

    def take(self, prepared: Tensor) -> Tensor:
        """A batch there; token numbers stay whole numbers."""
        if prepared.is_floating_point():
            return prepared.to(device=self.device, dtype=self.dtype)
        return prepared.to(self.device)


class NetworkTower(Generic[T]):
    """Encodes things of one kind; in memory is one batch of what was prepared.

    fingerprint  changes with the weights, the preparation and the numbers
    forward      runs a network that ``placement.put`` has placed
    """

    def __init__(
        self,
        prepare: Prepare[T],
        forward: Forward,
        fingerprint: str,
        placement: Placement,
        batch: int = BATCH,
    ) -> None:
        self._prepare = prepare
        self._forward = forward
        self._placement = placement
        self._batch = batch
        self.fingerprint = f"{fingerprint}-{placement.precision}"

    def encode(self, things: Sequence[T], /) -> FloatArray:
        """[things, dim]. Raises MediaError, and CheckpointError where numbers are not finite."""
        prepared = iter(self._prepare(things))
        parts = []
        with torch.inference_mode():
            while batch := list(islice(prepared, self._batch)):
                encoded = self._forward(self._placement.take(torch.stack(batch)))
                parts.append(host(encoded))
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


class TowerPair(Generic[V]):
    """An encoder of two pretrained towers of one space; nothing is learned here.

    made  rows of a tower [n, width] -> what the encoder gives for n things; for none as well
    """

    def __init__(
        self, items: Tower[Item], texts: Tower[str], dim: int, made: Callable[[FloatArray], V]
    ) -> None:
        self._items = items
        self._texts = texts
        self._dim = dim
        self._made = made

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def fingerprint(self) -> str:
        return f"{self._items.fingerprint}+{self._texts.fingerprint}"

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        return {}

    def encode_items(self, items: Sequence[Item]) -> V:
        return self._made(self._items.encode(items) if items else self._nothing())

    def encode_texts(self, texts: Sequence[str]) -> V:
        return self._made(self._texts.encode(texts) if texts else self._nothing())

    def save(self, folder: Path) -> None:
        """Write which towers these are; the weights stay where they are."""
        write_fingerprint(folder, self.fingerprint)

    def load(self, folder: Path) -> None:
        """Raises ValueError where other towers wrote ``folder``."""
        check_fingerprint(folder, self.fingerprint)

    def _nothing(self) -> FloatArray:
        return np.zeros((0, self._dim), np.float32)


def dual_tower(
    spec: RetrieverSpec, items: Tower[Item], texts: Tower[str], dim: int, settings: Settings
) -> DualTower:
    """The pair with an exact index; vectors of items are kept under ``settings.cache``."""
    pair = TowerPair(kept_items(spec, items, settings), texts, dim, unit)
    return DualTower(spec, pair, partial(TorchExact, settings.device))


def tiny_dual_tower(
    spec: RetrieverSpec, items: Tower[Item], texts: Tower[str], dim: int
) -> DualTower:
    """The pair with an exact index, on the processor, with nothing kept."""
    return DualTower(spec, TowerPair(items, texts, dim, unit), TorchExact)


def kept_items(spec: RetrieverSpec, items: Tower[Item], settings: Settings) -> CachedTower[Item]:
    """The tower with its vectors kept under ``settings.cache``."""
    label = f"{spec.name}: encoding items"
    return CachedTower(items, item_key, settings.cache / "embeddings", label, batch=BATCH)


def write_fingerprint(folder: Path, fingerprint: str) -> None:
    """All that is saved of towers whose weights stay where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _TOWERS).write_text(json.dumps(fingerprint), encoding="utf-8")


def check_fingerprint(folder: Path, fingerprint: str) -> None:
    """Raises ValueError where other towers wrote ``folder``."""
    theirs = json.loads((folder / _TOWERS).read_text(encoding="utf-8"))
    if theirs != fingerprint:
        raise ValueError(f"{folder} is of the towers {theirs}, these are {fingerprint}")


def tower_fingerprint(
    name: str, located: Located, release: Release, packages: Sequence[str]
) -> str:
    """Names a tower by its weights and by the packages that prepare what it is given.

    Another release of a package may prepare a picture or split a text differently.
    """
    made_with = "-".join(f"{package}-{version(package)}" for package in packages)
    return f"{name}-{located.fingerprint(release)}-{made_with}"


def unit(vectors: FloatArray) -> FloatArray:
    """The rows [n, dim] scaled to length 1 where they stand; a row of zeros stays one."""
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        block = vectors[start : start + _ROWS_AT_ONCE]
        block /= np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-12)
    return vectors


def host(encoded: Tensor) -> FloatArray:
    """On the host in float32. Raises CheckpointError where a number is not finite."""
    vectors: FloatArray = encoded.float().cpu().numpy()
    if not np.isfinite(vectors).all():
        raise CheckpointError(
            "the network gave numbers that are not finite: try another --precision"
        )
    return vectors
