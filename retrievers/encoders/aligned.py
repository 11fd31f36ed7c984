"""A frozen image tower and a frozen text tower joined by a linear map that is fitted here."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from datasets.base import Item, Pairs
from datasets.media.sampling import FrameSampling
from retrievers.base import (
    Availability,
    FloatArray,
    Retriever,
    RetrieverSpec,
    Settings,
    WeightsAbsent,
)
from retrievers.dual_tower import DualTower
from retrievers.embedding_cache import CachedTower, Tower, item_key, text_key
from retrievers.encoders.frame_means import FrameMeans
from retrievers.encoders.ridge import PENALTIES, Described, RidgeMap, fit_map
from retrievers.weights import releases
from retrievers.weights.releases import TRANSFORMERS

ROLES = ("image", "text")
FRAMES = FrameSampling(12)


class AlignedEncoder:
    """Texts keep their own space, centred; items are carried into it by the fitted map.

    captions  the text tower as used for training captions; a cache may stand before it, while
              queries always go through ``text`` itself, so that their cost is what it is
    """

    def __init__(self, image: Tower[Item], text: Tower[str], captions: Tower[str]) -> None:
        self._image = image
        self._text = text
        self._captions = captions
        self._map: RidgeMap | None = None

    @staticmethod
    def from_settings(settings: Settings) -> AlignedEncoder:
        """The towers that ``settings.checkpoint`` names under "image" and "text".

        Features of items and of training captions are kept under ``settings.cache``.
        Raises WeightsAbsent, CheckpointError.
        """
        from retrievers.encoders.frozen_towers import open_image_tower, open_text_tower

        sources = _sources(settings)
        image = FrameMeans(open_image_tower(sources["image"], settings.device), FRAMES)
        text = open_text_tower(sources["text"], settings.device)
        folder = settings.cache / "embeddings"
        return AlignedEncoder(
            CachedTower(image, item_key, folder, label="encoding images", batch=64),
            text,
            CachedTower(text, text_key, folder, label="encoding captions", batch=2048),
        )

    @property
    def dim(self) -> int:
        return int(self._fitted().weights.shape[1])

    @property
    def fingerprint(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{self._image.fingerprint}\0{self._text.fingerprint}\0".encode())
        if self._map is not None:
            for array in (self._map.item_mean, self._map.text_mean, self._map.weights):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Fit the map on the captions, its penalty chosen on ``validation``; seconds by phase.

        Raises ValueError when fewer than two items are captioned.
        """
        started = time.perf_counter()
        described = [self._describe(pairs) for pairs in (train, validation) if pairs.captions]
        encoded = time.perf_counter()
        if not described:
            raise ValueError("the map is fitted on captions, and the dataset has none to train on")
        self._map = fit_map(described[0], described[1] if len(described) > 1 else None)
        return {"encode": encoded - started, "map": time.perf_counter() - encoded}

    def encode_items(self, items: Sequence[Item]) -> FloatArray:
        """[items, dim]. Raises ValueError before ``fit``."""
        fitted = self._fitted()
        if not items:
            return np.zeros((0, self.dim), np.float32)
        return fitted.items(self._image.encode(items))

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """[texts, dim]. Raises ValueError before ``fit``."""
        fitted = self._fitted()
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        return fitted.texts(self._text.encode(texts))

    def save(self, folder: Path) -> None:
        """Write the map, and which towers it joins; the towers stay where they are."""
        fitted = self._fitted()
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {
            "item_mean": fitted.item_mean,
            "text_mean": fitted.text_mean,
            "weights": np.ascontiguousarray(fitted.weights),
        }
        save_file(arrays, folder / "map.safetensors")
        known_by = {**self._tower_fingerprints(), "penalty": fitted.penalty}
        (folder / "map.json").write_text(json.dumps(known_by), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Restore the map. Raises ValueError when it joins other towers than these."""
        known_by = json.loads((folder / "map.json").read_text(encoding="utf-8"))
        for role, fingerprint in self._tower_fingerprints().items():
            if known_by[role] != fingerprint:
                raise ValueError(
                    f"{folder} was fitted to another {role} tower: "
                    f"{known_by[role]}, here {fingerprint}"
                )
        arrays = load_file(folder / "map.safetensors")
        self._map = RidgeMap(
            arrays["item_mean"],
            arrays["text_mean"],
            arrays["weights"],
            float(known_by["penalty"]),
        )

    def _describe(self, pairs: Pairs) -> Described:
        return Described(
            self._image.encode(pairs.items),
            self._captions.encode(pairs.captions),
            np.array(pairs.rows, np.int64),
        )

    def _fitted(self) -> RidgeMap:
        if self._map is None:
            raise ValueError("the towers are not joined yet: call fit first")
        return self._map

    def _tower_fingerprints(self) -> dict[str, str]:
        return {"image": self._image.fingerprint, "text": self._text.fingerprint}


class AlignedAdapter:
    """Builds the dual tower of two frozen towers and a fitted map."""

    def availability(self, settings: Settings) -> Availability:
        found = [
            releases.availability(
                f"the {role} tower", settings.checkpoint.get(role), TRANSFORMERS, role
            )
            for role in ROLES
        ]
        told = [one.sentence for one in found if not one.ready] or [one.sentence for one in found]
        sentence = "; ".join(told)
        return Availability(
            all(one.ready for one in found), f"{sentence[:1].upper()}{sentence[1:]}."
        )

    def describe(self, settings: Settings) -> RetrieverSpec:
        """Raises WeightsAbsent; a hub id that was never fetched is fetched."""
        sources = _sources(settings)
        return RetrieverSpec(
            name="aligned",
            paradigm="dual tower",
            modalities=("image", "video"),
            weights="pretrained",
            licence="that of the two towers",
            checkpoint=sources,
            revision={
                role: releases.locate(source, TRANSFORMERS).fingerprint(TRANSFORMERS)
                for role, source in sources.items()
            },
            options=_OPTIONS,
        )

    def build(self, settings: Settings) -> Retriever:
        """Raises WeightsAbsent, CheckpointError."""
        from retrievers.indexes import TorchExact

        encoder = AlignedEncoder.from_settings(settings)
        return DualTower(self.describe(settings), encoder, partial(TorchExact, settings.device))

    def tiny(self, seed: int) -> Retriever:
        from retrievers.encoders.random_towers import random_image_tower, random_text_tower
        from retrievers.indexes import TorchExact

        text = random_text_tower(seed)
        encoder = AlignedEncoder(FrameMeans(random_image_tower(seed), FRAMES), text, text)
        spec = RetrieverSpec(
            name="aligned",
            paradigm="dual tower",
            modalities=("image", "video"),
            weights="random",
            licence="Apache-2.0",
            options={**_OPTIONS, "seed": seed},
        )
        return DualTower(spec, encoder, TorchExact)


_OPTIONS: Mapping[str, str | int | float | bool | None] = {
    "map": "ridge regression from image to text, both centred and normalised",
    "penalties": ", ".join(f"{penalty:g}" for penalty in PENALTIES),
    "frames": FRAMES.count,
    "frame pooling": "mean of unit vectors, from the middles of equal parts",
    "index": "exact",
}


def _sources(settings: Settings) -> dict[str, str]:
    """Raises WeightsAbsent where a role is not given."""
    missing = [role for role in ROLES if not settings.checkpoint.get(role)]
    if missing:
        given = ",".join(f"{role}=HUB_ID_OR_FOLDER" for role in missing)
        raise WeightsAbsent(f"no {' and no '.join(missing)} tower is named: --checkpoint {given}")
    return {role: settings.checkpoint[role] for role in ROLES}
