"""LanguageBind's tower of texts, in every form in which it serves."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import Any

from torch import Tensor, nn

from retrievers.encoders.languagebind_config import IMAGE, WORDS, Config
from retrievers.encoders.languagebind_config import Stack as Sizes
from retrievers.encoders.languagebind_network import LanguageBind, Layer
from retrievers.serving.dual import forms
from retrievers.serving.packed import LayerWeights, Stack, affine, below, norm_before
from retrievers.serving.text_towers import TextTower, TokenRows, clip_word_pieces
from retrievers.weights.random import seeded

_LEAST_PICTURES = Sizes(width=8, inner=8, layers=0, heads=1)


def random_languagebind(seed: int, config: Config = IMAGE) -> nn.Module:
    """LanguageBind with random weights and without its tower of pictures."""
    network: Any = seeded(seed, lambda: LanguageBind(replace(config, vision=_LEAST_PICTURES)))
    del network.vision_model, network.visual_projection
    return network


def padded(network: LanguageBind, rows: TokenRows) -> Tensor:
    return network.encode_texts(rows.numbers)


def apart(network: LanguageBind) -> Stack:
    text: Any = network.text_model
    words, places = text.embeddings.token_embedding, text.embeddings.position_embedding
    norm, project = text.final_layer_norm, network.text_projection
    layers = text.encoder.layers
    return Stack(
        embed=lambda numbers, at: words(numbers) + places(at),
        layers=[_layer(layer) for layer in layers],
        heads=layers[0].self_attn.heads,
        causal=True,
        residual=norm_before,
        activation=layers[0].mlp.activation,
        read=attrgetter("last"),
        head=lambda states: project(norm(states)),
    )


def _layer(layer: Layer) -> LayerWeights:
    attention = layer.self_attn
    return LayerWeights(
        norm_of_attention=layer.layer_norm1,
        query_key_value=below(attention.q_proj, attention.k_proj, attention.v_proj),
        mix=affine(attention.out_proj),
        norm_of_feed_forward=layer.layer_norm2,
        widen=affine(layer.mlp.fc1),
        narrow=affine(layer.mlp.fc2),
    )


LANGUAGEBIND_TEXT = TextTower(
    model="LanguageBind (Image)",
    dim=IMAGE.dim,
    width=IMAGE.text.width,
    layers=IMAGE.text.layers,
    vocabulary=WORDS,
    tokens="word pieces of CLIP",
    tokenise=clip_word_pieces,
    random=random_languagebind,
    padded=padded,
    apart=apart,
)
PAPER, EXACT, BEST, IVF, HNSW, PQ, GPU = forms(LANGUAGEBIND_TEXT)
