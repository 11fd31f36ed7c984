"""``tiny-dual``: small towers for images, sounds or videos, trained here, and an exact index.

What was trained is kept under ``cache/towers`` by a digest of the training pairs, the
configuration and the seed, and is used again, by whichever retriever asks for it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import get_args

from datasets.base import Modality
from retrievers.base import Availability, Retriever, RetrieverSpec, Settings
from retrievers.dual_tower import DualTower
from retrievers.encoders.tiny.encoder import TinyConfig, TinyDualEncoder
from retrievers.encoders.tiny.images import TinyImages
from retrievers.encoders.tiny.sounds import TinySounds
from retrievers.encoders.tiny.towers import TextSizes
from retrievers.encoders.tiny.training import Schedule
from retrievers.encoders.tiny.videos import TinyVideos
from retrievers.indexes import TorchExact

NAME = "tiny-dual"
LICENCE = "Apache-2.0"


class TinyDualAdapter:
    """Builds ``tiny-dual``: the tiny dual tower with an exact index. Needs no weights."""

    def availability(self, settings: Settings) -> Availability:
        return Availability(True, "trained here on the training pairs")

    def describe(self, settings: Settings) -> RetrieverSpec:
        return _spec(TinyConfig())

    def build(self, settings: Settings) -> Retriever:
        encoder = TinyDualEncoder.from_settings(settings)
        return DualTower(self.describe(settings), encoder, partial(TorchExact, settings.device))

    def tiny(self, seed: int) -> Retriever:
        config = tiny_config()
        encoder = TinyDualEncoder(config, seed, "cpu", cache=None)
        spec = replace(_spec(config), weights="random")
        return DualTower(spec, encoder, TorchExact)


def tiny_config() -> TinyConfig:
    """Towers small enough for tests; their training is a matter of a second."""
    channels = (8, 8, 8, 16)
    return TinyConfig(
        image=TinyImages(side=32, channels=channels, detectors=32),
        sound=TinySounds(
            seconds=0.96, windows=2, mels=32, channels=channels, detectors=32, width=8, shift=2
        ),
        video=TinyVideos(frames=3, side=32, channels=channels, detectors=32, width=8),
        text=TextSizes(width=16),
        schedule=Schedule(epochs=1, least_steps=4, batch=16, warm_up_steps=2, evaluations=2),
        dim=32,
        vocabulary=300,
    )


def _spec(config: TinyConfig) -> RetrieverSpec:
    return RetrieverSpec(
        name=NAME,
        paradigm="dual tower",
        modalities=get_args(Modality),
        weights="trained here",
        licence=LICENCE,
        options=config.options(),
    )
