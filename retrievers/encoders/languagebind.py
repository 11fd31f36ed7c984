"""LanguageBind: one text tower, and a tower of each medium bound to it.

Zhu et al., ICLR 2024, arXiv 2310.01852. The image tower is a CLIP that the authors took as it was
(OpenCLIP ViT-L/14, DataComp-XL); those of videos and sounds were tuned towards its texts, while
the text tower stayed as it was. The score is the cosine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch

from datasets.base import Item
from retrievers.base import Retriever, RetrieverSpec, Settings
from retrievers.encoders import languagebind_config as sizes
from retrievers.encoders.languagebind_config import Config, read_config
from retrievers.encoders.languagebind_inputs import Spectrum, pictures, videos
from retrievers.encoders.languagebind_network import LanguageBind
from retrievers.encoders.low_rank import merged
from retrievers.encoders.openclip_tokens import clip_tokens
from retrievers.encoders.towers import (
    NetworkTower,
    Placement,
    Prepare,
    dual_tower,
    tiny_dual_tower,
    tower_fingerprint,
)
from retrievers.pretrained import PretrainedAdapter
from retrievers.weights.random import seeded
from retrievers.weights.releases import Located, Release
from retrievers.weights.states import load_strictly, read_state

_PACKAGES = ("torch", "open_clip_torch", "ftfy")


@dataclass(frozen=True)
class System:
    """What sets one of the releases apart.

    gigabytes  of the weights in fp32
    released   sizes where the release does not say them itself
    prepare    sizes -> what makes the network's input of items
    options    sizes -> the preparation in words
    batch      items that are encoded together
    """

    modality: Literal["image", "video", "audio"]
    hub: str
    gigabytes: float
    released: Config
    tiny: Config
    prepare: Callable[[Config], Prepare[Item]]
    options: Callable[[Config], Mapping[str, str]]
    packages: tuple[str, ...] = ()
    batch: int = 32

    @property
    def release(self) -> Release:
        return Release(
            needs=("model*.safetensors|pytorch_model*.bin",),
            reads=("config.json",),
            hub=self.hub,
            obtain=f"It holds the tower of texts too, and takes {self.gigabytes} GB in fp32.",
        )


def _open(system: System, spec: RetrieverSpec, located: Located, settings: Settings) -> Retriever:
    config = _config(system, located)
    network = _filled(config, located)
    packages = _PACKAGES + system.packages
    fingerprint = tower_fingerprint(spec.name, located, system.release, packages)
    placement = Placement(settings.device, settings.precision)
    items, texts = _towers(system, config, network, fingerprint, placement)
    return dual_tower(spec, items, texts, config.dim, settings)


def _open_tiny(system: System, spec: RetrieverSpec, seed: int) -> Retriever:
    network = seeded(seed, lambda: LanguageBind(system.tiny))
    fingerprint = f"{spec.name}-random-{seed}"
    items, texts = _towers(system, system.tiny, network, fingerprint, Placement("cpu"))
    return tiny_dual_tower(spec, items, texts, system.tiny.dim)


def _config(system: System, located: Located) -> Config:
    return read_config(located.folder, system.modality, system.released)


def _filled(config: Config, located: Located) -> LanguageBind:
    with torch.device("meta"):
        network = LanguageBind(config)
    state = read_state(located.files)
    if config.adapters:
        state = merged(state, config.adapters)
    load_strictly(network, state, located.source, renamed=_renamed)
    return network


def _renamed(name: str) -> str | None:
    """Older releases of transformers wrote the row numbers of the positions as well."""
    return None if name.endswith(".position_ids") else name


def _towers(
    system: System,
    config: Config,
    network: LanguageBind,
    fingerprint: str,
    placement: Placement,
) -> tuple[NetworkTower[Item], NetworkTower[str]]:
    placement.put(network)
    items = NetworkTower(
        system.prepare(config),
        network.encode_items,
        f"{fingerprint}-{system.modality}",
        placement,
        system.batch,
    )
    tokens = clip_tokens()
    return items, NetworkTower(tokens, network.encode_texts, f"{fingerprint}-text", placement)


def _resizing(config: Config, interpolation: str) -> str:
    return f"{config.height} px, shortest, {interpolation} without antialiasing"


def _adapter(system: System) -> PretrainedAdapter:
    text = f"word pieces of CLIP in lower case, {sizes.CONTEXT} tokens"
    return PretrainedAdapter(
        name=f"languagebind-{system.modality}",
        paradigm="dual tower",
        modalities=(system.modality,),
        licence="MIT",
        release=system.release,
        open=partial(_open, system),
        open_tiny=partial(_open_tiny, system),
        network=lambda: LanguageBind(system.released),
        options={**system.options(system.released), "text": text, "score": "cosine"},
        told=lambda located: system.options(_config(system, located)),
    )


IMAGE = _adapter(
    System(
        "image",
        hub="LanguageBind/LanguageBind_Image",
        gigabytes=1.7,
        released=sizes.IMAGE,
        tiny=sizes.TINY_IMAGE,
        prepare=lambda config: partial(pictures, config.height),
        options=lambda config: {"picture": _resizing(config, "bicubic")},
        packages=("pillow",),
    )
)
VIDEO = _adapter(
    System(
        "video",
        hub="LanguageBind/LanguageBind_Video_FT",
        gigabytes=2.1,
        released=sizes.VIDEO,
        tiny=sizes.TINY_VIDEO,
        prepare=lambda config: partial(videos, config.height, config.frames),
        options=lambda config: {
            "frames": f"{config.frames}, evenly by number from the first to the last",
            "picture": _resizing(config, "bilinear"),
        },
        packages=("av",),
        batch=8,
    )
)
AUDIO = _adapter(
    System(
        "audio",
        hub="LanguageBind/LanguageBind_Audio_FT",
        gigabytes=1.7,
        released=sizes.AUDIO,
        tiny=sizes.TINY_AUDIO,
        prepare=lambda config: Spectrum(config.height, config.width).sounds,
        options=lambda config: {
            "sound": f"first channel at 16 kHz, Kaldi's fbank of {config.height} bands",
            "windows": f"3 of {config.width} frames of 10 ms, each where a third of the places "
            "begins; a short sound is repeated",
        },
        packages=("soxr",),
    )
)
