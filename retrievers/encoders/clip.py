"""The image-text towers that open_clip runs: CLIP and those built like it.

Pictures are prepared as open_clip's ``preprocess_val`` of the released weights does it. That is
set out here, since open_clip knows it only for weights that it fetched itself. The score is the
cosine; the temperature of the training does not change a ranking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from datasets.base import Item
from retrievers.base import Retriever, RetrieverSpec, Settings
from retrievers.encoders import openclip_models
from retrievers.encoders.openclip_models import Config, released_config, small_clip
from retrievers.encoders.pictures import PictureRecipe
from retrievers.encoders.towers import (
    NetworkTower,
    Placement,
    Prepare,
    dual_tower,
    tiny_dual_tower,
    tower_fingerprint,
)
from retrievers.pretrained import PretrainedAdapter
from retrievers.weights.releases import Located, Release
from retrievers.weights.states import read_state

_WEIGHTS = "open_clip_model.safetensors"
_PACKAGES = ("open_clip_torch", "timm", "torchvision", "pillow", "ftfy")
_CONTEXT = 77


def clip_tokens(folder: Path) -> Prepare[str]:
    """Rows of 77 token numbers, a longer text cut; the word pieces come with open_clip."""

    def rows(texts: Sequence[str]) -> Iterator[Tensor]:
        tokenize = openclip_models.open_clip().tokenize
        return (tokenize([text], _CONTEXT)[0] for text in texts)

    return rows


@dataclass(frozen=True)
class Towers:
    """How one of open_clip's models is built and fed.

    name    of the configuration
    config  the configuration itself, in open_clip's form
    recipe  how a picture is prepared
    tokens  folder of the release -> what makes token numbers of texts
    """

    name: str
    config: Callable[[], Config]
    recipe: PictureRecipe
    tokens: Callable[[Path], Prepare[str]] = clip_tokens
    text: str = f"word pieces of CLIP in lower case, {_CONTEXT} tokens"

    def options(self) -> dict[str, str | int | float | bool | None]:
        recipe = self.recipe
        return {
            "model": self.name,
            "picture": f"{recipe.side} px, {recipe.resize}, {recipe.interpolation}",
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
    placed: Any = placement.put(network)
    pictures, tokens = towers.recipe.pictures, towers.tokens(folder)
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


def _small(towers: Towers, config: Callable[[], Config]) -> Towers:
    recipe = replace(towers.recipe, side=config()["vision_cfg"]["image_size"])
    return replace(towers, name=f"small {towers.name}", config=config, recipe=recipe)


CLIP_TOWERS = _released("ViT-B-32-quickgelu", PictureRecipe(224))
CLIP_TINY = _small(CLIP_TOWERS, partial(small_clip, quick_gelu=True))
CLIP = _adapter(
    "clip",
    "MIT",
    Release(
        needs=(_WEIGHTS,),
        hub="timm/vit_base_patch32_clip_224.openai",
        obtain="A file of openai/clip-vit-base-patch32 in safetensors is read as well (0.6 GB).",
    ),
    CLIP_TOWERS,
    CLIP_TINY,
)
