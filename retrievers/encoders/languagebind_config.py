"""Sizes of LanguageBind's networks: those that were released, and what a release says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from retrievers.weights.report import CheckpointError
from retrievers.weights.settings import read_settings

Activation = Literal["gelu", "quick_gelu"]

# Of CLIP's tokenizer, which all releases use.
WORDS, CONTEXT = 49_408, 77


@dataclass(frozen=True)
class Stack:
    """Sizes of one transformer, ``inner`` that of its feed-forward part."""

    width: int
    inner: int
    layers: int
    heads: int
    activation: Activation = "gelu"
    epsilon: float = 1e-5


@dataclass(frozen=True)
class Config:
    """Sizes of the whole network.

    height, width  of what the vision tower is given, in pixels; a fbank of a sound is bands high
                   and frames wide
    patch          side of a patch
    frames         of a video, 0 where the layers do not attend along them
    adapters       what the low-rank adapters of a release are multiplied by, 0 where it has none;
                   the network does without them
    """

    vision: Stack
    text: Stack
    height: int
    width: int
    patch: int
    dim: int
    frames: int = 0
    adapters: float = 0.0

    @property
    def positions(self) -> int:
        """One for each whole patch, and one for the token that stands for the picture."""
        return (self.height // self.patch) * (self.width // self.patch) + 1


_TEXT = Stack(width=768, inner=3072, layers=12, heads=12)
_VISION = Stack(width=1024, inner=4096, layers=24, heads=16)
IMAGE = Config(_VISION, _TEXT, height=224, width=224, patch=14, dim=768)
VIDEO = replace(IMAGE, frames=8)
AUDIO = replace(IMAGE, height=112, width=1036)

_SMALL = Stack(width=32, inner=64, layers=2, heads=2)
TINY_IMAGE = Config(_SMALL, replace(_SMALL, heads=4), height=32, width=32, patch=8, dim=24)
TINY_VIDEO = replace(TINY_IMAGE, frames=8)
TINY_AUDIO = replace(TINY_IMAGE, height=16, width=40)


def read_config(folder: Path, modality: str, otherwise: Config) -> Config:
    """What the folder's ``config.json`` says of the network, or ``otherwise`` where there is none.

    modality  "image", "video" or "audio", which a config.json must be of

    Raises CheckpointError.
    """
    path = folder / "config.json"
    if not path.is_file():
        return otherwise
    told = read_settings(path)
    expected, kind = f"LanguageBind{modality.title()}", told.get("model_type")
    if kind != expected:
        raise CheckpointError(f"{path} is of a {kind!r}, where {expected!r} is wanted")
    return _Told(path, told).config()


@dataclass(frozen=True)
class _Told:
    """Settings of a config.json, checked as they are asked for."""

    path: Path
    settings: Mapping[str, Any]

    def config(self) -> Config:
        vision, text = self._part("vision_config"), self._part("text_config")
        if (text._size("vocab_size"), text._size("max_position_embeddings")) != (WORDS, CONTEXT):
            raise CheckpointError(
                f"{self.path} is of a text tower for another tokenizer than CLIP's, of {WORDS:,} "
                f"words and texts of {CONTEXT} tokens"
            )
        height, width = vision._sides()
        return Config(
            vision=vision._stack(),
            text=text._stack(),
            height=height,
            width=width,
            patch=vision._size("patch_size"),
            dim=self._size("projection_dim"),
            frames=vision._size("num_frames") if vision.settings.get("add_time_attn") else 0,
            adapters=vision._adapters(),
        )

    def _sides(self) -> tuple[int, int]:
        """Height and width of what the vision tower is given; of a picture both are the same."""
        if self.settings.get("num_mel_bins"):
            return self._size("num_mel_bins"), self._size("target_length")
        side = self.settings.get("image_size")
        # The authors' network writes both sides into its settings where it was run before.
        if isinstance(side, list) and side and all(one == side[0] for one in side):
            side = side[0]
        return (_whole(self.path, "image_size", side),) * 2

    def _stack(self) -> Stack:
        width, heads = self._size("hidden_size"), self._size("num_attention_heads")
        epsilon = self.settings.get("layer_norm_eps", 1e-5)
        if width % heads or not isinstance(epsilon, float):
            raise CheckpointError(
                f"{self.path}: a width of {width} for {heads} heads, normalised with {epsilon!r}, "
                "is no transformer"
            )
        return Stack(
            width=width,
            inner=self._size("intermediate_size"),
            layers=self._size("num_hidden_layers"),
            heads=heads,
            activation=self._activation(),
            epsilon=epsilon,
        )

    def _adapters(self) -> float:
        if not self.settings.get("lora_r"):
            return 0.0
        return self._size("lora_alpha") / self._size("lora_r")

    def _part(self, name: str) -> _Told:
        part = self.settings.get(name)
        if not isinstance(part, Mapping):
            raise CheckpointError(f"{self.path} holds no {name}")
        return _Told(self.path, part)

    def _size(self, name: str) -> int:
        return _whole(self.path, name, self.settings.get(name))

    def _activation(self) -> Activation:
        value = self.settings.get("hidden_act")
        for known in get_args(Activation):
            if value == known:
                return known
        raise CheckpointError(
            f"{self.path}: hidden_act is {value!r}; known are {', '.join(get_args(Activation))}"
        )


def _whole(path: Path, name: str, value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise CheckpointError(f"{path}: {name} is {value!r}, not a whole number above 0")
    return value
