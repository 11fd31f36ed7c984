"""BLIP-2 as it is evaluated for retrieval (Li et al. 2023): contrast first, then matching.

The first stage compares one vector of the text with the best of a picture's 32. Its 128 best are
scored again by the Q-Former, which reads the text and looks at the picture's features, and the
final score is the sum of both, as in LAVIS.

A picture's features (677 places of 1408 numbers at 364 pixels: 3.8 MB in fp32, 1.9 MB in fp16 and
bf16) are encoded once, kept in files under the cache in the numbers that the network computes in,
and mapped into memory as pairs need them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from datasets.base import Item
from retrievers.base import Retriever, RetrieverSpec, Settings
from retrievers.cascade import Cascade, depth_of, the_sum_of_both
from retrievers.encoders.bert_tokens import bert_tokenizer, bert_tokens, letters_tokenizer
from retrievers.encoders.pictures import PictureRecipe
from retrievers.encoders.token_towers import late_interaction, tiny_late_interaction
from retrievers.encoders.towers import NetworkTower, Placement, Prepare, tower_fingerprint
from retrievers.late_interaction import LateInteraction
from retrievers.pretrained import Options, PretrainedAdapter
from retrievers.scorers.blip2_network import (
    FROZEN_TOWER,
    Blip2Parts,
    Config,
    config_of,
    filled_network,
    network,
    released_config,
    side_of,
)
from retrievers.scorers.item_features import ItemFeatures, TensorFolder, TensorStore
from retrievers.scorers.pair_matcher import FeatureTower, PairMatcher
from retrievers.token_index import best_vector
from retrievers.weights.random import seeded
from retrievers.weights.releases import Located, Release

_PACKAGES = ("transformers", "tokenizers", "torchvision", "pillow")
_WORDS, _TOKENS = 50, 35
# The embeddings hold a token more than BERT's vocabulary, [DEC], which retrieval does not use.
_ADDED = 1

_RELEASE = Release(
    needs=("model*.safetensors|pytorch_model*.bin",),
    reads=("config.json", "tokenizer.json", "vocab.txt", FROZEN_TOWER),
    hub="Salesforce/blip2-itm-vit-g-coco",
    obtain="It takes 4.7 GB in fp32. Without fine-tuning it is Salesforce/blip2-itm-vit-g. LAVIS's "
    "blip2_finetune_coco.pth and blip2_pretrained.pth are read too, with BERT's vocab.txt beside "
    "them.",
)


def picture_recipe(config: Config) -> PictureRecipe:
    return PictureRecipe(side_of(config), resize="squash")


def caption(text: str) -> str:
    """A text as LAVIS prepares captions: lower case, no marks, at most 50 words."""
    plain = re.sub(r"""[.!"()*#:;~]""", " ", text.lower())
    words = re.sub(r"\s{2,}", " ", plain).rstrip("\n").strip(" ").split(" ")
    return " ".join(words[:_WORDS])


@dataclass(frozen=True)
class _Stages:
    """What both stages are made of."""

    parts: Blip2Parts
    features: ItemFeatures
    tokens: Prepare[str]
    fingerprint: str
    placement: Placement

    def item_tower(self) -> FeatureTower:
        name = f"{self.fingerprint}-image"
        return FeatureTower(self.parts.item_rows, self.features, name, self.placement)

    def text_tower(self) -> NetworkTower[str]:
        name = f"{self.fingerprint}-text"
        return NetworkTower(self.tokens, self.parts.text_rows, name, self.placement, batch=128)

    def matcher(self) -> PairMatcher:
        return PairMatcher(self.parts.match, self.features, self.tokens, self.placement)


def _stages(
    model: Any,
    config: Config,
    tokenizer: Tokenizer,
    fingerprint: str,
    placement: Placement,
    store: TensorStore,
) -> _Stages:
    parts = Blip2Parts(placement.put(model))
    recipe = picture_recipe(config)

    def encode(items: Sequence[Item]) -> Tensor:
        pixels = placement.take(torch.stack(list(recipe.pictures(items))))
        with torch.inference_mode():
            return parts.features(pixels).cpu()

    features = ItemFeatures(encode, store, "blip2: encoding pictures")
    tokens = bert_tokens(tokenizer, _TOKENS, caption)
    return _Stages(parts, features, tokens, fingerprint, placement)


def _open(spec: RetrieverSpec, located: Located, settings: Settings) -> Retriever:
    """The cascade of a release. Raises CheckpointError."""
    config = config_of(located)
    model = filled_network(config, located)
    places = model.embeddings.word_embeddings.num_embeddings - _ADDED
    tokenizer = bert_tokenizer(located, places)
    fingerprint = tower_fingerprint(spec.name, located, _RELEASE, _PACKAGES)
    placement = Placement(settings.device, settings.precision)
    folder = settings.cache / "features" / f"{fingerprint}-{settings.precision}"
    stages = _stages(model, config, tokenizer, fingerprint, placement, TensorFolder(folder))
    width = model.vision_projection.out_features
    first = late_interaction(
        spec, stages.item_tower(), stages.text_tower(), width, best_vector, settings
    )
    return _cascade(spec, first, stages)


def _open_tiny(spec: RetrieverSpec, seed: int) -> Retriever:
    tokenizer = letters_tokenizer()
    model: Any = seeded(seed, partial(_random_network, TINY))
    stages = _stages(model, TINY, tokenizer, f"blip2-random-{seed}", Placement("cpu"), {})
    width = model.vision_projection.out_features
    first = tiny_late_interaction(
        spec, stages.item_tower(), stages.text_tower(), width, best_vector
    )
    return _cascade(spec, first, stages)


def _cascade(spec: RetrieverSpec, first: LateInteraction, stages: _Stages) -> Cascade:
    return Cascade(spec, first, stages.matcher(), depth_of(spec), the_sum_of_both)


def _random_network(config: Config) -> nn.Module:
    model: Any = network(config)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    return model


def _told(located: Located) -> Options:
    return {"picture": picture_recipe(config_of(located)).told}


TINY: Config = {
    "num_query_tokens": 4,
    "image_text_hidden_size": 12,
    "vision_config": {
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 28,
    },
    "qformer_config": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "vocab_size": 78,
        "max_position_embeddings": 40,
    },
}

BLIP2 = PretrainedAdapter(
    name="blip2",
    paradigm="single tower",
    modalities=("image",),
    licence="BSD-3-Clause",
    release=_RELEASE,
    open=_open,
    open_tiny=_open_tiny,
    network=lambda: network(released_config()),
    options={
        "picture": picture_recipe(released_config()).told,
        "text": f"word pieces of BERT, lower case, {_WORDS} words, {_TOKENS} tokens",
        "first stage": "best of the picture's vectors",
        "score": "matching logit plus the first stage's cosine",
        "depth": 128,
    },
    told=_told,
)
