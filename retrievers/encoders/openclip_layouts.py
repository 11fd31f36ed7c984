"""Checkpoints of the same networks that name their weights otherwise, in open_clip's names."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from retrievers.weights.states import State

_PLACES = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.": "ln_final.",
    "text_model.encoder.layers.": "transformer.resblocks.",
    "text_projection.weight": "text_projection",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.": "visual.ln_pre.",
    "vision_model.post_layernorm.": "visual.ln_post.",
    "vision_model.encoder.layers.": "visual.transformer.resblocks.",
    "visual_projection.weight": "visual.proj",
}
_WITHIN_A_LAYER = {
    ".self_attn.out_proj.": ".attn.out_proj.",
    ".layer_norm1.": ".ln_1.",
    ".layer_norm2.": ".ln_2.",
    ".mlp.fc1.": ".mlp.c_fc.",
    ".mlp.fc2.": ".mlp.c_proj.",
}
# Multiplied from the other side there.
_TRANSPOSED = ("text_projection", "visual.proj")
_QUERY = re.compile(r"\.self_attn\.q_proj\.(weight|bias)$")


def is_transformers(state: State) -> bool:
    """Whether ``transformers`` wrote these weights of a CLIP."""
    return any(name.startswith(("vision_model.", "text_model.")) for name in state)


def from_transformers(state: State) -> State:
    """A CLIP of ``transformers``, or one of its two towers, in open_clip's names.

    The three projections of an attention become one, and the two into the shared space are
    transposed. A name that is not known stays, so that a strict load tells of it.
    """
    # Older releases of transformers wrote the row numbers of the positions as well.
    rest = {name: one for name, one in state.items() if not name.endswith(".position_ids")}
    found: State = {}
    for query in [name for name in rest if _QUERY.search(name)]:
        parts = [query.replace(".q_proj.", f".{part}_proj.") for part in "qkv"]
        if all(part in rest for part in parts):
            joined = _QUERY.sub(r".attn.in_proj_\1", query)
            found[_placed(joined)] = torch.cat([rest.pop(part) for part in parts])
    for name, tensor in rest.items():
        new = _placed(name)
        found[new] = _turned(tensor) if new in _TRANSPOSED else tensor
    return found


def _placed(name: str) -> str:
    for theirs, ours in _PLACES.items():
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
            break
    for theirs, ours in _WITHIN_A_LAYER.items():
        name = name.replace(theirs, ours)
    return name


def _turned(tensor: Tensor) -> Tensor:
    return tensor.T.contiguous() if tensor.ndim == 2 else tensor
