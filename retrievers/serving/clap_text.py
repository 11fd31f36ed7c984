"""CLAP's tower of texts, RoBERTa, in every form in which it serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

from retrievers.encoders.clap import RELEASED
from retrievers.serving.dual import forms
from retrievers.serving.packed import LayerWeights, Stack, affine, below, norm_after
from retrievers.serving.text_towers import LONGEST, TextTower, TokenRows, clip_word_pieces
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.random import seeded

_START, _PADDING, _END, _SPECIAL = 0, 1, 2, 4


def random_clap(
    seed: int, text: Mapping[str, Any] = RELEASED.text, dim: int = RELEASED.dim
) -> nn.Module:
    """CLAP's RoBERTa and projection with random weights."""
    ensure_torchvision()
    import transformers

    sizes = transformers.ClapTextConfig(**text, projection_dim=dim)
    network: nn.Module = seeded(seed, lambda: transformers.ClapTextModelWithProjection(sizes))
    return network


def stand_in_tokens(texts: Sequence[str]) -> TokenRows:
    """CLIP's word pieces under RoBERTa's special tokens.

    RoBERTa's own come with its weights; of captions both make nearly the same number.
    """
    theirs = clip_word_pieces(texts)
    real = torch.arange(LONGEST) < theirs.lengths[:, None]
    numbers = torch.where(real, theirs.numbers + _SPECIAL, _PADDING)
    numbers[:, 0] = _START
    numbers[torch.arange(len(texts)), theirs.lengths - 1] = _END
    return TokenRows(numbers, theirs.lengths)


def padded(network: Any, rows: TokenRows) -> Tensor:
    places = torch.arange(rows.numbers.shape[1], device=rows.numbers.device)
    mask = (places < rows.lengths[:, None]).long()
    vectors: Tensor = network(rows.numbers, attention_mask=mask).text_embeds
    return vectors


def apart(network: Any) -> Stack:
    text = network.text_model
    embeddings, layers = text.embeddings, text.encoder.layer
    words, norm = embeddings.word_embeddings, embeddings.LayerNorm
    kind, places = embeddings.token_type_embeddings, embeddings.position_embeddings
    pooler, project = text.pooler, network.text_projection
    first_place = embeddings.padding_idx + 1

    def embed(numbers: Tensor, at: Tensor) -> Tensor:
        embedded: Tensor = norm(words(numbers) + kind.weight[0] + places(at + first_place))
        return embedded

    def head(states: Tensor) -> Tensor:
        vectors: Tensor = project(pooler.activation(pooler.dense(states)))
        return vectors

    return Stack(
        embed=embed,
        layers=[_layer(layer) for layer in layers],
        heads=layers[0].attention.self.num_attention_heads,
        causal=False,
        residual=norm_after,
        activation=layers[0].intermediate.intermediate_act_fn,
        read=attrgetter("first"),
        head=head,
    )


def _layer(layer: Any) -> LayerWeights:
    attention = layer.attention.self
    return LayerWeights(
        norm_of_attention=layer.attention.output.LayerNorm,
        query_key_value=below(attention.query, attention.key, attention.value),
        mix=affine(layer.attention.output.dense),
        norm_of_feed_forward=layer.output.LayerNorm,
        widen=affine(layer.intermediate.dense),
        narrow=affine(layer.output.dense),
    )


CLAP_TEXT = TextTower(
    model="CLAP (HTSAT, RoBERTa)",
    dim=RELEASED.dim,
    width=768,
    layers=12,
    vocabulary=50_265,
    tokens="word pieces of CLIP in place of RoBERTa's, which come with its weights",
    tokenise=stand_in_tokens,
    random=random_clap,
    padded=padded,
    apart=apart,
)
PAPER, EXACT, BEST, IVF, HNSW, PQ, GPU = forms(CLAP_TEXT)
