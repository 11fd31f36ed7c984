"""ImageBind's tower of texts, in every form in which it serves."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from retrievers.encoders.imagebind_network import HUGE, Block, Config
from retrievers.encoders.imagebind_network import TextTower as Network
from retrievers.serving.dual import forms
from retrievers.serving.packed import Affine, LayerWeights, Stack, affine, norm_before
from retrievers.serving.text_towers import TextTower, TokenRows, clip_word_pieces
from retrievers.weights.random import seeded


def random_imagebind(seed: int, config: Config = HUGE) -> nn.Module:
    """The tower of texts alone, with random weights."""
    return seeded(seed, lambda: Network(config.text, config.dim, config.vocabulary, config.context))


def padded(network: Network, rows: TokenRows) -> Tensor:
    vectors: Tensor = network(rows.numbers)
    return vectors


def apart(network: Network) -> Stack:
    words, places = network.tokens, network.positions
    norm, project = network.norm, network.projection
    blocks: Any = network.blocks
    return Stack(
        embed=lambda numbers, at: words(numbers) + places[0, at],
        layers=[_layer(block) for block in blocks],
        heads=blocks[0].attention.num_heads,
        causal=True,
        residual=norm_before,
        activation=functional.gelu,
        read=attrgetter("last"),
        head=lambda states: project(norm(states)),
    )


def _layer(block: Block) -> LayerWeights:
    attention: Any = block.attention
    return LayerWeights(
        norm_of_attention=block.norm1,
        query_key_value=Affine(attention.in_proj_weight, attention.in_proj_bias),
        mix=affine(attention.out_proj),
        norm_of_feed_forward=block.norm2,
        widen=affine(block.widen),
        narrow=affine(block.narrow),
    )


IMAGEBIND_TEXT = TextTower(
    model="ImageBind (Huge)",
    dim=HUGE.dim,
    width=HUGE.text.width,
    layers=HUGE.text.layers,
    vocabulary=HUGE.vocabulary,
    tokens="word pieces of CLIP",
    tokenise=clip_word_pieces,
    random=random_imagebind,
    padded=padded,
    apart=apart,
)
PAPER, EXACT, BEST, IVF, HNSW, PQ, GPU = forms(IMAGEBIND_TEXT)
