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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from tokenizers import BertWordPieceTokenizer, Tokenizer
from torch import Tensor, nn

from datasets.base import Item
from retrievers.base import FloatArray, IntArray, Retriever, RetrieverSpec, Settings
from retrievers.cascade import Cascade, depth_of, the_sum_of_both
from retrievers.encoders.frozen_towers import check_tokenizer
from retrievers.encoders.pictures import PictureRecipe
from retrievers.encoders.token_towers import late_interaction, tiny_late_interaction
from retrievers.encoders.towers import NetworkTower, Placement, Prepare, host, tower_fingerprint
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
from retrievers.token_index import best_vector
from retrievers.weights.random import seeded
from retrievers.weights.releases import Located, Release
from retrievers.weights.report import CheckpointError

_PACKAGES = ("transformers", "tokenizers", "torchvision", "pillow")
_WORDS, _TOKENS = 50, 35
_PAIRS_AT_ONCE = 64
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# The embeddings hold a token more than BERT's vocabulary, [DEC], which retrieval does not use.
_ADDED = 1

_RELEASE = Release(
    needs=("model*.safetensors|pytorch_model*.bin",),
    reads=("config.json", "tokenizer.json", "vocab.txt", FROZEN_TOWER),
    hub="Salesforce/blip2-itm-vit-g-coco",
    obtain="Without fine-tuning it is Salesforce/blip2-itm-vit-g. LAVIS's blip2_finetune_coco.pth "
    "and blip2_pretrained.pth are read too, with BERT's vocab.txt beside them.",
)


def caption(text: str) -> str:
    """A text as LAVIS prepares captions: lower case, no marks, at most 50 words."""
    plain = re.sub(r"""[.!"()*#:;~]""", " ", text.lower())
    words = re.sub(r"\s{2,}", " ", plain).rstrip("\n").strip(" ").split(" ")
    return " ".join(words[:_WORDS])


def token_numbers(tokenizer: Tokenizer) -> Prepare[str]:
    """Rows of 35 token numbers, a longer text cut, 0 behind a shorter one."""
    tokenizer.enable_truncation(_TOKENS)
    tokenizer.enable_padding(length=_TOKENS, pad_id=0, pad_token=_SPECIAL[0])

    def rows(texts: Sequence[str]) -> Iterator[Tensor]:
        for text in texts:
            # A caption from JSON may hold half of a surrogate pair, which is no text.
            whole = caption(text).encode("utf-8", "replace").decode()
            yield torch.tensor(tokenizer.encode(whole).ids)

    return rows


class Blip2Matcher:
    """Scores pairs by the matching head: a PairScorer."""

    def __init__(
        self,
        match: Callable[[Tensor, Tensor], Tensor],
        features: ItemFeatures,
        tokens: Prepare[str],
        placement: Placement,
    ) -> None:
        self._match = match
        self._features = features
        self._tokens = tokens
        self._placement = placement
        self._gallery: list[bytes] = []

    def prepare(self, items: Sequence[Item]) -> None:
        """Encode the features that are not kept yet."""
        self._gallery = self._features.keep(items)

    def score(self, texts: Sequence[str], rows: IntArray) -> FloatArray:
        """Logits [texts, depth] of the gallery rows [texts, depth]; -inf where a row is -1."""
        queries, places = np.nonzero(rows >= 0)
        scores = np.full(rows.shape, -np.inf, np.float32)
        found = rows[queries, places]
        scores[queries, places] = self._pairs(texts, queries, self._gallery, found)
        return scores

    def score_texts(
        self, items: Sequence[Item], texts: Sequence[str], rows: IntArray
    ) -> FloatArray:
        """Logits [items, depth] of the texts whose rows [items, depth] are given."""
        queries, places = np.nonzero(rows >= 0)
        scores = np.full(rows.shape, -np.inf, np.float32)
        asked, which = np.unique(rows[queries, places], return_inverse=True)
        keys = self._features.keep(items)
        scores[queries, places] = self._pairs([texts[row] for row in asked], which, keys, queries)
        return scores

    def _pairs(
        self, texts: Sequence[str], of_texts: IntArray, keys: Sequence[bytes], of_items: IntArray
    ) -> FloatArray:
        """[pairs] of the texts and the items whose places are given, [pairs] each."""
        if not len(of_texts):
            return np.zeros(0, np.float32)
        tokens = torch.stack(list(self._tokens(texts)))
        parts = []
        with torch.inference_mode():
            for start in range(0, len(of_texts), _PAIRS_AT_ONCE):
                here = slice(start, start + _PAIRS_AT_ONCE)
                items, place = np.unique(of_items[here], return_inverse=True)
                features = self._placement.take(self._features.read([keys[one] for one in items]))
                chosen = torch.from_numpy(place).to(features.device)
                asked = self._placement.take(tokens[torch.from_numpy(of_texts[here])])
                parts.append(host(self._match(features[chosen], asked)))
        return np.concatenate(parts)


@dataclass(frozen=True)
class _Stages:
    """What both stages are made of."""

    parts: Blip2Parts
    features: ItemFeatures
    tokens: Prepare[str]
    fingerprint: str
    placement: Placement

    def item_tower(self) -> _FeatureTower:
        return _FeatureTower(self)

    def text_tower(self) -> NetworkTower[str]:
        name = f"{self.fingerprint}-text"
        return NetworkTower(self.tokens, self.parts.text_rows, name, self.placement, batch=128)

    def matcher(self) -> Blip2Matcher:
        return Blip2Matcher(self.parts.match, self.features, self.tokens, self.placement)


class _FeatureTower:
    """The vectors of pictures, made of the features that the second stage needs as well."""

    def __init__(self, stages: _Stages) -> None:
        self._stages = stages
        self.fingerprint = f"{stages.fingerprint}-image-{stages.placement.precision}"

    def encode(self, things: Sequence[Item], /) -> FloatArray:
        """[items, 32 * 257]. Raises MediaError, and CheckpointError where they are not finite."""
        stages, parts = self._stages, []
        keys = stages.features.keep(things)
        with torch.inference_mode():
            for start in range(0, len(keys), _PAIRS_AT_ONCE):
                features = stages.features.read(keys[start : start + _PAIRS_AT_ONCE])
                parts.append(host(stages.parts.item_rows(stages.placement.take(features))))
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def _stages(
    model: Any,
    config: Config,
    tokenizer: Tokenizer,
    fingerprint: str,
    placement: Placement,
    store: TensorStore,
) -> _Stages:
    parts = Blip2Parts(placement.put(model))
    recipe = PictureRecipe(side_of(config), resize="squash")

    def encode(items: Sequence[Item]) -> Tensor:
        pixels = placement.take(torch.stack(list(recipe.pictures(items))))
        with torch.inference_mode():
            return parts.features(pixels).cpu()

    features = ItemFeatures(encode, store, "blip2: encoding pictures")
    return _Stages(parts, features, token_numbers(tokenizer), fingerprint, placement)


def _open(spec: RetrieverSpec, located: Located, settings: Settings) -> Retriever:
    """The cascade of a release. Raises CheckpointError."""
    config = config_of(located)
    model = filled_network(config, located)
    tokenizer = _tokenizer(located, model.embeddings.word_embeddings.num_embeddings)
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
    tokenizer = _letters()
    model: Any = seeded(seed, partial(_random_network, TINY))
    stages = _stages(model, TINY, tokenizer, f"blip2-random-{seed}", Placement("cpu"), {})
    width = model.vision_projection.out_features
    first = tiny_late_interaction(
        spec, stages.item_tower(), stages.text_tower(), width, best_vector
    )
    return _cascade(spec, first, stages)


def _cascade(spec: RetrieverSpec, first: LateInteraction, stages: _Stages) -> Cascade:
    return Cascade(spec, first, stages.matcher(), depth_of(spec), the_sum_of_both)


def _tokenizer(located: Located, places: int) -> Tokenizer:
    """BERT's tokenizer beside the weights. Raises CheckpointError."""
    listed, whole = located.folder / "vocab.txt", located.folder / "tokenizer.json"
    try:
        if listed.is_file():
            tokenizer = Tokenizer.from_str(BertWordPieceTokenizer(str(listed)).to_str())
        else:
            tokenizer = Tokenizer.from_file(str(whole))
    # The package raises nothing more precise where a file is absent or broken.
    except Exception as error:
        raise CheckpointError(
            f"{located.folder} holds neither vocab.txt nor tokenizer.json of BERT (uncased) that "
            f"can be read: {error}. Put the one of bert-base-uncased there."
        ) from error
    words = tokenizer.get_vocab_size(with_added_tokens=False)
    check_tokenizer(located.source, words, len(_SPECIAL), places - _ADDED)
    return tokenizer


def _letters() -> Tokenizer:
    """BERT's way with a vocabulary of letters and digits."""
    signs = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = [*_SPECIAL, *signs, *(f"##{sign}" for sign in signs)]
    vocabulary = {word: number for number, word in enumerate(words)}
    return Tokenizer.from_str(BertWordPieceTokenizer(vocabulary).to_str())


def _random_network(config: Config) -> nn.Module:
    model: Any = network(config)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    return model


def _told(located: Located) -> Options:
    return {"picture": _picture(side_of(config_of(located)))}


def _picture(side: int) -> str:
    return f"{side} px, both sides whatever their proportions, bicubic"


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
        "picture": _picture(side_of(released_config())),
        "text": f"word pieces of BERT, lower case, {_WORDS} words, {_TOKENS} tokens",
        "first stage": "best of the picture's vectors",
        "score": "matching logit plus the first stage's cosine",
        "depth": 128,
    },
    told=_told,
)
