"""Checkpoints that name the weights of open_clip's networks otherwise, in open_clip's names.

A name that is not known stays as it is, so that a strict load tells of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from retrievers.weights.states import State


@dataclass(frozen=True)
class _Part:
    """A part of a network: where its names begin there and here, and what else differs."""

    theirs: str
    ours: str
    words: Mapping[str, str]


_TRANSFORMERS_LAYER = {
    "encoder.layers.": "transformer.resblocks.",
    "self_attn.in_proj.": "attn.in_proj_",
    "self_attn.": "attn.",
    "layer_norm1.": "ln_1.",
    "layer_norm2.": "ln_2.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
    "embeddings.position_embedding.weight": "positional_embedding",
}
_TRANSFORMERS = (
    _Part(
        "text_model.",
        "",
        {
            "embeddings.token_embedding.": "token_embedding.",
            "final_layer_norm.": "ln_final.",
            **_TRANSFORMERS_LAYER,
        },
    ),
    _Part(
        "vision_model.",
        "visual.",
        {
            "embeddings.class_embedding": "class_embedding",
            "embeddings.patch_embedding.": "conv1.",
            "pre_layrnorm.": "ln_pre.",
            "post_layernorm.": "ln_post.",
            **_TRANSFORMERS_LAYER,
        },
    ),
    _Part("text_projection.weight", "text_projection", {}),
    _Part("visual_projection.weight", "visual.proj", {}),
)
_APPLE = (
    _Part(
        "image_encoder.model.",
        "visual.trunk.",
        {
            "patch_emb.": "patch_embed.backbone.",
            "block.conv.": "conv.",
            "block.norm.": "bn.",
            "post_transformer_norm.": "norm.",
            "transformer.": "blocks.",
            "pre_norm_mha.0.": "norm1.",
            "pre_norm_mha.1.qkv_proj.": "attn.qkv.",
            "pre_norm_mha.1.out_proj.": "attn.proj.",
            "pre_norm_ffn.0.": "norm2.",
            "pre_norm_ffn.1.": "mlp.fc1.",
            "pre_norm_ffn.4.": "mlp.fc2.",
            "pos_embed.pos_embed.pos_embed": "pos_embed",
            "classifier.proj": "head.weight",
        },
    ),
    _Part(
        "text_encoder.",
        "text.",
        {
            "embedding_layer.": "token_embedding.",
            "positional_embedding.pos_embed.pos_embed": "positional_embedding",
            "transformer.": "transformer.resblocks.",
            "pre_norm_mha.0.": "ln_1.",
            "pre_norm_mha.1.qkv_proj.": "attn.in_proj_",
            "pre_norm_mha.1.out_proj.": "attn.out_proj.",
            "pre_norm_ffn.0.": "ln_2.",
            "pre_norm_ffn.1.": "mlp.c_fc.",
            "pre_norm_ffn.4.": "mlp.c_proj.",
            "final_layer_norm.": "ln_final.",
            "projection_layer": "text_projection",
        },
    ),
)
_QUERY = re.compile(r"\.self_attn\.q_proj\.(weight|bias)$")


def in_open_clips_names(state: State) -> State:
    """A checkpoint in whichever of the known layouts it is."""
    if any(name.startswith(("vision_model.", "text_model.")) for name in state):
        return from_transformers(state)
    if any(name.startswith("image_encoder.model.") for name in state):
        return from_apple(state)
    return state


def from_transformers(state: State) -> State:
    """A CLIP as ``transformers`` writes it, or one of its two towers."""
    # Older releases of transformers wrote the row numbers of the positions as well.
    kept = {name: one for name, one in state.items() if not name.endswith(".position_ids")}
    found = {_renamed(name, _TRANSFORMERS): one for name, one in _joined(kept).items()}
    return {name: _turned(one) if _is_projection(name) else one for name, one in found.items()}


def from_apple(state: State) -> State:
    """MobileCLIP-B as its authors' own package writes it.

    Their positions have two axes more, and their head has no bias: it is one of zeros here.
    """
    found = {_renamed(name, _APPLE): one for name, one in state.items()}
    for name, axes in (("visual.trunk.pos_embed", 3), ("text.positional_embedding", 2)):
        if name in found:
            found[name] = _with_axes(found[name], axes)
    head = found.get("visual.trunk.head.weight")
    if head is not None:
        found["visual.trunk.head.weight"] = _turned(head)
        found["visual.trunk.head.bias"] = torch.zeros(head.shape[-1], dtype=head.dtype)
    return found


def _renamed(name: str, parts: tuple[_Part, ...]) -> str:
    for part in parts:
        if name.startswith(part.theirs):
            rest = name.removeprefix(part.theirs)
            for theirs, ours in part.words.items():
                rest = rest.replace(theirs, ours)
            return part.ours + rest
    return name


def _joined(state: State) -> State:
    """The projections of queries, keys and values of each attention as one."""
    rest = dict(state)
    for query in filter(_QUERY.search, state):
        parts = [query.replace(".q_proj.", f".{one}_proj.") for one in "qkv"]
        if all(part in rest for part in parts):
            joined = torch.cat([rest.pop(part) for part in parts])
            rest[query.replace(".q_proj.", ".in_proj.")] = joined
    return rest


def _is_projection(name: str) -> bool:
    """Whether it leads into the shared space, and so is multiplied from the other side."""
    return name in ("text_projection", "visual.proj")


def _turned(tensor: Tensor) -> Tensor:
    return tensor.T.contiguous() if tensor.ndim == 2 else tensor


def _with_axes(tensor: Tensor, axes: int) -> Tensor:
    """Without leading axes of length one, until so many are left."""
    while tensor.ndim > axes and tensor.shape[0] == 1:
        tensor = tensor[0]
    return tensor
