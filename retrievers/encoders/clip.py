"""The image-text towers that open_clip runs: CLIP and those built like it.

Pictures are prepared as open_clip's ``preprocess_val`` of the released weights does it. That is
set out here, since open_clip knows it only for weights that it fetched itself. The score is the
cosine; the temperature of the training does not change a ranking.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from datasets.base import Item
from retrievers.base import Retriever, RetrieverSpec, Settings
from retrievers.encoders import openclip_models
from retrievers.encoders.openclip_activation import check_activation
from retrievers.encoders.openclip_models import Config, as_apples_own, fused, released_config
from retrievers.encoders.openclip_small import (
    small_clip,
    small_mobileclip,
    small_mobileclip2,
    small_siglip2,
)
from retrievers.encoders.openclip_tokens import Tokens, byte_tokens, shipped_tokens, siglip2_tokens
from retrievers.encoders.pictures import PictureRecipe
from retrievers.encoders.towers import (
    NetworkTower,
    Placement,
    dual_tower,
    tiny_dual_tower,
    tower_fingerprint,
)
from retrievers.pretrained import PretrainedAdapter
from retrievers.weights.releases import Located, Release
from retrievers.weights.states import read_state

# As open_clip writes a release: some hold only one of the two.
_WEIGHTS = "open_clip_model.safetensors|open_clip_pytorch_model.bin"
_CONFIG = ("open_clip_config.json",)
# Between them they make the networks, prepare the pictures and split the texts.
_PACKAGES = ("open_clip_torch", "timm", "torchvision", "pillow", "ftfy", "tokenizers")


def as_it_is(network: nn.Module) -> nn.Module:
    return network


@dataclass(frozen=True)
class Towers:
    """How one of open_clip's models is built and fed.

    name    of the configuration
    config  the configuration itself, in open_clip's form
    recipe  how a picture is prepared
    tokens  what makes rows of token numbers of texts, and ``text`` says how
    ready   the filled network -> the one that answers, and ``made`` says what was done to it
    """

    name: str
    config: Callable[[], Config]
    recipe: PictureRecipe
    tokens: Tokens = shipped_tokens
    text: str = "word pieces of CLIP in lower case, 77 tokens"
    ready: Callable[[nn.Module], nn.Module] = as_it_is
    made: str = "as open_clip makes it"

    def options(self) -> dict[str, str | int | float | bool | None]:
        return {
            "model": self.name,
            "network": self.made,
            "picture": self.recipe.told,
            "text": self.text,
            "score": "cosine",
        }


def open_towers(
    towers: Towers, located: Located, fingerprint: str, placement: Placement
) -> tuple[NetworkTower[Item], NetworkTower[str]]:
    """The tower of items and that of texts, filled. Raises CheckpointError."""
    state = read_state(located.files)
    network = openclip_models.filled_network(towers.config(), state, located.source)
    return _pair(towers, network, located.folder, fingerprint, placement)


def open_system(
    towers: Towers, release: Release, spec: RetrieverSpec, located: Located, settings: Settings
) -> Retriever:
    """The dual tower of a release. Raises CheckpointError."""
    # Of the system's own release it is known; files that a user names are asked.
    if located.source != release.hub:
        check_activation(towers.config(), located)
    fingerprint = tower_fingerprint(spec.name, located, release, _PACKAGES)
    placement = Placement(settings.device, settings.precision)
    items, texts = open_towers(towers, located, fingerprint, placement)
    return dual_tower(spec, items, texts, towers.config()["embed_dim"], settings)


def open_tiny(towers: Towers, spec: RetrieverSpec, seed: int) -> Retriever:
    """The dual tower of small ``towers`` with random weights, which need no file."""
    config = towers.config()
    network = openclip_models.random_network(config, seed)
    fingerprint = f"{spec.name}-random-{seed}"
    items, texts = _pair(towers, network, Path(), fingerprint, Placement("cpu"))
    return tiny_dual_tower(spec, items, texts, config["embed_dim"])


def _pair(
    towers: Towers, network: nn.Module, folder: Path, fingerprint: str, placement: Placement
) -> tuple[NetworkTower[Item], NetworkTower[str]]:
    placed: Any = placement.put(towers.ready(network))
    pictures = towers.recipe.pictures
    tokens = towers.tokens(folder, towers.config()["text_cfg"])
    return (
        NetworkTower(pictures, placed.encode_image, f"{fingerprint}-image", placement),
        NetworkTower(tokens, placed.encode_text, f"{fingerprint}-text", placement),
    )


def _adapter(
    name: str, licence: str, release: Release, towers: Towers, tiny: Towers
) -> PretrainedAdapter:
    return PretrainedAdapter(
        name=name,
        paradigm="dual tower",
        modalities=("image",),
        licence=licence,
        release=release,
        open=partial(open_system, towers, release),
        open_tiny=partial(open_tiny, tiny),
        network=lambda: openclip_models.network(towers.config()),
        options=towers.options(),
    )


def _released(architecture: str, recipe: PictureRecipe) -> Towers:
    return Towers(architecture, partial(released_config, architecture), recipe)


def _small(towers: Towers, config: Callable[[], Config], side: int) -> Towers:
    return replace(towers, config=config, recipe=replace(towers.recipe, side=side))


CLIP_TOWERS = _released("ViT-B-32-quickgelu", PictureRecipe(224))
CLIP_TINY = _small(CLIP_TOWERS, partial(small_clip, quick_gelu=True), 32)
CLIP = _adapter(
    "clip",
    "MIT",
    Release(
        needs=("open_clip_model.safetensors|model.safetensors",),
        reads=(*_CONFIG, "config.json"),
        hub="timm/vit_base_patch32_clip_224.openai",
        obtain="It takes 0.6 GB in fp32. openai/clip-vit-base-patch32 in safetensors is read as "
        "well.",
    ),
    CLIP_TOWERS,
    CLIP_TINY,
)

OPENCLIP_TOWERS = _released("ViT-B-32", PictureRecipe(224))
OPENCLIP_TINY = _small(OPENCLIP_TOWERS, partial(small_clip, quick_gelu=False), 32)
OPENCLIP = _adapter(
    "openclip",
    "MIT",
    Release(
        needs=(_WEIGHTS,),
        reads=_CONFIG,
        hub="laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        obtain="It takes 0.6 GB in fp32.",
    ),
    OPENCLIP_TOWERS,
    OPENCLIP_TINY,
)

# Pixels in 0 to 1 as they are: its pictures are not normalised.
MOBILECLIP_TOWERS = replace(
    _released(
        "MobileCLIP-B",
        PictureRecipe(224, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear"),
    ),
    ready=as_apples_own,
    made="with the padding of the authors' own package, which open_clip lacks",
)
MOBILECLIP_TINY = _small(MOBILECLIP_TOWERS, small_mobileclip, 224)
MOBILECLIP = _adapter(
    "mobileclip",
    "Apple Machine Learning Research Model License",
    Release(
        needs=(_WEIGHTS,),
        reads=_CONFIG,
        hub="apple/MobileCLIP-B-OpenCLIP",
        obtain="It takes 0.6 GB in fp32, as does B (LT), apple/MobileCLIP-B-LT-OpenCLIP. "
        "mobileclip_b.pt and mobileclip_blt.pt of the authors' own package are read as well.",
    ),
    MOBILECLIP_TOWERS,
    MOBILECLIP_TINY,
)

MOBILECLIP2_TOWERS = replace(
    _released("MobileCLIP2-S4", PictureRecipe(256, interpolation="bilinear")),
    ready=fused,
    made="with its parallel convolutions fused, as its authors ask for",
)
MOBILECLIP2_TINY = _small(MOBILECLIP2_TOWERS, small_mobileclip2, 128)
MOBILECLIP2 = _adapter(
    "mobileclip2",
    "Apple Machine Learning Research Model License",
    Release(
        needs=(_WEIGHTS,),
        reads=_CONFIG,
        hub="timm/MobileCLIP2-S4-OpenCLIP",
        obtain="It takes 1.8 GB in fp32.",
    ),
    MOBILECLIP2_TOWERS,
    MOBILECLIP2_TINY,
)

SIGLIP2_TOWERS = replace(
    _released(
        "ViT-B-16-SigLIP2",
        PictureRecipe(224, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize="squash"),
    ),
    tokens=siglip2_tokens,
    text="word pieces of Gemma, in lower case without punctuation, 64 tokens",
    made="as open_clip makes it, with the exact GELU in its image network",
)
SIGLIP2_TINY = _small(replace(SIGLIP2_TOWERS, tokens=byte_tokens), small_siglip2, 32)
SIGLIP2 = _adapter(
    "siglip2",
    "Apache-2.0",
    Release(
        needs=(_WEIGHTS, "tokenizer.json"),
        reads=_CONFIG,
        hub="timm/ViT-B-16-SigLIP2",
        obtain="It takes 1.5 GB in fp32.",
    ),
    SIGLIP2_TOWERS,
    SIGLIP2_TINY,
)
