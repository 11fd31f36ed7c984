"""CLIP ViT-B/32's tower of texts, in every form in which it serves."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from retrievers.encoders.clip import CLIP_TOWERS
from retrievers.encoders.openclip_models import Config, random_network
from retrievers.serving.dual import forms
from retrievers.serving.packed import Affine, LayerWeights, Stack, affine, norm_before
from retrievers.serving.text_towers import TextTower, TokenRows, clip_word_pieces

# x * sigmoid(1.702 x), which CLIP activates by, is silu(1.702 x) / 1.702: in one pass instead of
# three, with the factor in the weights before and behind it.
_QUICK = 1.702
# open_clip builds both towers or none.
_LEAST_PICTURES = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 32}


def random_clip(seed: int, config: Config | None = None) -> nn.Module:
    """CLIP with random weights and without its tower of pictures."""
    sizes = {**(config or CLIP_TOWERS.config()), "vision_cfg": _LEAST_PICTURES}
    network: Any = random_network(sizes, seed)
    del network.visual
    return network


def padded(network: Any, rows: TokenRows) -> Tensor:
    vectors: Tensor = network.encode_text(rows.numbers)
    return vectors


def apart(network: Any) -> Stack:
    words, places = network.token_embedding, network.positional_embedding
    norm, projection = network.ln_final, network.text_projection
    blocks = network.transformer.resblocks
    return Stack(
        embed=lambda numbers, at: words(numbers) + places[at],
        layers=[_layer(block) for block in blocks],
        heads=blocks[0].attn.num_heads,
        causal=True,
        residual=norm_before,
        activation=lambda widened: functional.silu(widened, inplace=True),
        read=attrgetter("last"),
        head=lambda states: norm(states) @ projection,
    )


def _layer(block: Any) -> LayerWeights:
    attention, widen, narrow = block.attn, block.mlp.c_fc, block.mlp.c_proj
    return LayerWeights(
        norm_of_attention=block.ln_1,
        query_key_value=Affine(attention.in_proj_weight, attention.in_proj_bias),
        mix=affine(attention.out_proj),
        norm_of_feed_forward=block.ln_2,
        widen=Affine(widen.weight * _QUICK, widen.bias * _QUICK),
        narrow=Affine(narrow.weight / _QUICK, narrow.bias),
    )


CLIP_TEXT = TextTower(
    model="CLIP ViT-B/32",
    dim=512,
    width=512,
    layers=12,
    vocabulary=49_408,
    tokens="word pieces of CLIP",
    tokenise=clip_word_pieces,
    random=random_clip,
    padded=padded,
    apart=apart,
)
PAPER, EXACT, BEST, IVF, HNSW, PQ, GPU = forms(CLIP_TEXT)
