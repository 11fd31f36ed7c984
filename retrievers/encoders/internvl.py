"""InternVL-G: a picture seen by InternViT-6B and by the queries of QLLaMA, a text read by QLLaMA.

Each side is one vector and the score is their cosine (Chen et al., "InternVL", CVPR 2024, section
4.3 and the published retrieval script): a dual tower, large as it is. Of the release the language
head and the head that matches pairs are left out, since retrieval uses neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datasets.base import Item
from retrievers.base import Retriever, RetrieverSpec, Settings
from retrievers.encoders.internvl_network import InternVL, InternVLConfig, VisionConfig
from retrievers.encoders.pictures import IMAGENET_MEAN, IMAGENET_STD, PictureRecipe
from retrievers.encoders.qllama import QLlamaConfig
from retrievers.encoders.sentencepiece_bpe import SentencePieceBpe, read_sentencepiece
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
from retrievers.weights.report import CheckpointError
from retrievers.weights.settings import read_settings
from retrievers.weights.states import load_strictly, read_state

FULL = InternVLConfig(
    VisionConfig(side=224, patch=14, width=3200, layers=48, heads=25, hidden=12800, eps=1e-6),
    QLlamaConfig(
        vocabulary=49954,
        width=4096,
        layers=32,
        heads=32,
        hidden=11008,
        looked_at=3200,
        queries=96,
        look_every=2,
        eps=1e-6,
    ),
    pool_heads=16,
    dim=768,
)
TINY = InternVLConfig(
    VisionConfig(side=28, patch=14, width=16, layers=1, heads=2, hidden=32, eps=1e-6),
    QLlamaConfig(
        vocabulary=259,
        width=16,
        layers=2,
        heads=2,
        hidden=32,
        looked_at=16,
        queries=3,
        look_every=2,
        eps=1e-6,
    ),
    pool_heads=2,
    dim=16,
)
RELEASE = Release(
    needs=("model*.safetensors|pytorch_model*.bin", "config.json", "tokenizer.model"),
    hub="OpenGVLab/InternVL-14B-224px",
    obtain="The release is 28 GB; in fp32 it takes twice that in memory.",
)
# Our names -> those of config.json; where it says nothing, the size is the full one's.
_SIGHT = {
    "side": "image_size",
    "patch": "patch_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "hidden": "intermediate_size",
    "eps": "layer_norm_eps",
}
_WORDS = {
    "vocabulary": "vocab_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "hidden": "intermediate_size",
    "eps": "rms_norm_eps",
}
_WHOLE = {"pool_heads": "attn_pool_num_heads", "dim": "clip_embed_dim"}
_LOOK = {"queries": "num_query_token", "look_every": "cross_attention_frequency"}
_ACTIVATIONS = {"vision_config": "gelu", "qllama_config": "silu"}
_PREFIX = "summarize:"
_LENGTH = 80
_BEGIN, _END = 1, 2
_PACKAGES = ("torchvision", "pillow")
_LEFT_OUT = ("qllama.lm_head.", "itm_head.", "logit_scale")
_BATCH = 16


def picture_recipe(config: InternVLConfig) -> PictureRecipe:
    return PictureRecipe(config.vision.side, IMAGENET_MEAN, IMAGENET_STD, resize="squash")


def released_config(file: Path) -> InternVLConfig:
    """The sizes that a release's ``config.json`` states. Raises CheckpointError."""
    stated = read_settings(file)
    try:
        _check_plain(stated)
        sight, words = stated["vision_config"], stated["qllama_config"]
        vision = VisionConfig(**_sizes(_SIGHT, sight, FULL.vision))
        language = QLlamaConfig(
            **_sizes(_WORDS, words, FULL.language),
            **_sizes(_LOOK, stated, FULL.language),
            looked_at=vision.width,
        )
        config = InternVLConfig(vision, language, **_sizes(_WHOLE, stated, FULL))
        _check_heads(config)
        return config
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{file} does not describe an InternVL 1.0: {error!r}") from error


def token_rows(pieces: SentencePieceBpe) -> Prepare[str]:
    """Rows of 80 tokens: the prompt and the text between a beginning and an end, then zeros.

    A longer text is cut so that the end is kept.
    """

    def rows(texts: Sequence[str]) -> Iterator[Tensor]:
        for text in texts:
            inner = pieces.encode(_PREFIX + text)[: _LENGTH - 2]
            row = torch.zeros(_LENGTH, dtype=torch.long)
            row[: len(inner) + 2] = torch.tensor([_BEGIN, *inner, _END])
            yield row

    return rows


def open_towers(
    located: Located, fingerprint: str, placement: Placement
) -> tuple[NetworkTower[Item], NetworkTower[str], int]:
    """The tower of pictures, that of texts and the width of their vectors.

    Raises CheckpointError.
    """
    config = released_config(located.folder / "config.json")
    pieces = _pieces(located.folder / "tokenizer.model", config.language.vocabulary)
    network = _filled(config, located)
    pictures, texts = _towers(network, config, pieces, fingerprint, placement)
    return pictures, texts, config.dim


def _check_plain(stated: Mapping[str, Any]) -> None:
    """Raises ValueError where the network would be another than that of the release."""
    for name in ("use_backbone_lora", "use_qllama_lora", "force_image_size"):
        if stated.get(name):
            raise ValueError(f"{name} is set, which only fine-tuned forms have")
    for part, usual in _ACTIVATIONS.items():
        found = stated[part].get("hidden_act", usual)
        if found != usual:
            raise ValueError(f"the activation of {part} is {found!r}, not {usual!r}")


def _check_heads(config: InternVLConfig) -> None:
    """Raises ValueError where a width cannot be shared out among its heads."""
    vision, language = config.vision, config.language
    for width, heads in (
        (vision.width, vision.heads),
        (language.width, language.heads),
        (vision.width, config.pool_heads),
        (language.width, config.pool_heads),
    ):
        if width % heads:
            raise ValueError(f"a width of {width} is not shared out evenly among {heads} heads")


def _sizes(names: Mapping[str, str], stated: Mapping[str, Any], full: object) -> dict[str, Any]:
    """Our names -> sizes, of the kind that they have in ``full``. Raises ValueError."""
    found = {}
    for ours, theirs in names.items():
        usual = getattr(full, ours)
        found[ours] = type(usual)(stated.get(theirs, usual))
        if not found[ours] > 0:
            raise ValueError(f"{theirs} is {found[ours]}")
    return found


def _renamed(name: str) -> str | None:
    if name.startswith(_LEFT_OUT) or name.endswith(".rotary_emb.inv_freq"):
        return None
    renamed = name.replace("vision_model.encoder.", "vision_model.")
    renamed = renamed.replace("qllama.model.", "qllama.")
    for one in "qkv":
        renamed = renamed.replace(f".cross_attn.{one}_bias", f".cross_attn.{one}.bias")
    return renamed


def _open(spec: RetrieverSpec, located: Located, settings: Settings) -> Retriever:
    fingerprint = tower_fingerprint(spec.name, located, RELEASE, _PACKAGES)
    placement = Placement(settings.device, settings.precision)
    pictures, texts, dim = open_towers(located, fingerprint, placement)
    return dual_tower(spec, pictures, texts, dim, settings)


def _filled(config: InternVLConfig, located: Located) -> InternVL:
    """Its tensors are still in the mapped files, so that placing it holds each in memory once."""
    with torch.device("meta"):
        network = InternVL(config)
    load_strictly(network, read_state(located.files), located.source, renamed=_renamed)
    return network


def _pieces(file: Path, vocabulary: int) -> SentencePieceBpe:
    pieces = read_sentencepiece(file)
    known = (pieces.numbers.get("<s>"), pieces.numbers.get("</s>")) == (_BEGIN, _END)
    if not known or len(pieces.numbers) > vocabulary:
        raise CheckpointError(
            f"{file} is not the vocabulary of this network: it has {len(pieces.numbers)} pieces, "
            f"and the network {vocabulary}, of which <s> and </s> are the second and third."
        )
    return pieces


def _open_tiny(spec: RetrieverSpec, seed: int) -> Retriever:
    network = seeded(seed, lambda: InternVL(TINY))
    fingerprint = f"{spec.name}-random-{seed}"
    pictures, texts = _towers(network, TINY, _only_bytes(), fingerprint, Placement("cpu"))
    return tiny_dual_tower(spec, pictures, texts, TINY.dim)


def _towers(
    network: InternVL,
    config: InternVLConfig,
    pieces: SentencePieceBpe,
    fingerprint: str,
    placement: Placement,
) -> tuple[NetworkTower[Item], NetworkTower[str]]:
    placement.put(network)
    pictures = picture_recipe(config).pictures
    return (
        NetworkTower(pictures, network.encode_image, f"{fingerprint}-image", placement, _BATCH),
        NetworkTower(
            token_rows(pieces), network.encode_text, f"{fingerprint}-text", placement, _BATCH
        ),
    )


def _only_bytes() -> SentencePieceBpe:
    """A vocabulary without words: every text is spelt in bytes."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    return SentencePieceBpe({piece: number for number, piece in enumerate(pieces)}, {})


INTERNVL_G = PretrainedAdapter(
    name="internvl-g",
    paradigm="dual tower",
    modalities=("image",),
    licence="MIT",
    release=RELEASE,
    open=_open,
    open_tiny=_open_tiny,
    network=lambda: InternVL(FULL),
    options={
        "picture": picture_recipe(FULL).told,
        "pooling": "direction of InternViT + direction of 96 queries of QLLaMA",
        "text": f"{_PREFIX!r} in front, {_LENGTH} tokens, the last one's state",
        "score": "cosine",
    },
)
