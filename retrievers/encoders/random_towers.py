"""Small towers with random weights and the shape of real ones; they know nothing."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from retrievers.encoders.frozen_towers import ImageTower, TextTower
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.random import seeded

_SIDE = 32
_WIDTH = 16
_SPECIAL = ("<pad>", "<s>")


def random_image_tower(seed: int) -> ImageTower:
    """A CLIP vision model of one layer on pictures of 32 x 32."""
    transformers = _transformers()
    config = transformers.CLIPVisionConfig(
        hidden_size=_WIDTH,
        intermediate_size=2 * _WIDTH,
        projection_dim=_WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=_SIDE,
        patch_size=8,
        initializer_range=0.5,
    )
    processor = transformers.CLIPImageProcessor(
        size={"shortest_edge": _SIDE}, crop_size={"height": _SIDE, "width": _SIDE}
    )
    model = seeded(seed, lambda: transformers.CLIPVisionModelWithProjection(config))
    return ImageTower(model, processor, f"random-image-{seed}", "cpu")


def random_text_tower(seed: int) -> TextTower:
    """A BERT of one layer over bytes."""
    transformers = _transformers()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=byte_tokenizer(), pad_token=_SPECIAL[0], bos_token=_SPECIAL[1]
    )
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        intermediate_size=2 * _WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    model = seeded(seed, lambda: transformers.BertModel(config, add_pooling_layer=False))
    return TextTower(model, tokenizer, f"random-text-{seed}", "cpu", longest=64)


def byte_tokenizer() -> Tokenizer:
    """Each byte of a text is a token, behind a token that begins the text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*_SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    start = _SPECIAL[1]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A", special_tokens=[(start, vocabulary[start])]
    )
    return tokenizer


def _transformers() -> Any:
    ensure_torchvision()
    import transformers

    return transformers
