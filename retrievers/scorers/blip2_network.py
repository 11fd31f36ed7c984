"""BLIP-2's image-text network: built, filled from either of its layouts, and run in its parts.

The network is the ``Blip2ForImageTextRetrieval`` of transformers. Weights come in its layout, or
in that of LAVIS, from which the hub's were converted: there the keys' bias of the vision tower,
which is zero, is left out, and a frozen vision tower lies in a file of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor, nn
from torch.nn.functional import normalize

from retrievers.encoders.token_towers import token_rows
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.releases import Located
from retrievers.weights.report import CheckpointError
from retrievers.weights.settings import read_settings
from retrievers.weights.states import State, load_strictly, read_state

Config = Mapping[str, Any]

FROZEN_TOWER = "eva_vit_g.pth"
_PATCH = 14
# LAVIS takes torch's default for the norm behind the vision tower, and 1e-6 within it.
_LAST_EPS = 1e-5
_RENAMED = (
    (r"visual_encoder\.cls_token", "vision_model.embeddings.class_embedding"),
    (r"visual_encoder\.pos_embed", "vision_model.embeddings.position_embedding"),
    (r"visual_encoder\.patch_embed\.proj\.", "vision_model.embeddings.patch_embedding."),
    (r"visual_encoder\.blocks\.(\d+)\.norm(\d)\.", r"vision_model.encoder.layers.\1.layer_norm\2."),
    (
        r"visual_encoder\.blocks\.(\d+)\.attn\.proj\.",
        r"vision_model.encoder.layers.\1.self_attn.projection.",
    ),
    (r"visual_encoder\.blocks\.(\d+)\.attn\.", r"vision_model.encoder.layers.\1.self_attn."),
    (r"visual_encoder\.blocks\.", "vision_model.encoder.layers."),
    (r"ln_vision\.", "vision_model.post_layernorm."),
    (r"Qformer\.bert\.embeddings\.LayerNorm\.", "qformer.layernorm."),
    (r"Qformer\.bert\.embeddings\.", "embeddings."),
    (
        r"Qformer\.bert\.encoder\.layer\.(\d+)\.(attention|crossattention)\.self\.",
        r"qformer.encoder.layer.\1.\2.attention.",
    ),
    (r"Qformer\.bert\.encoder\.", "qformer.encoder."),
    (r"vision_proj\.", "vision_projection."),
    (r"text_proj\.", "text_projection."),
)
# The head that writes captions, the temperature of the training, and a row of counted numbers.
_LEFT_OUT = ("Qformer.cls.", "temp", "Qformer.bert.embeddings.position_ids")
# What EVA's tower has behind the 39th of its 40 blocks.
_BEYOND = ("norm.", "fc_norm.", "head.")


def released_config(side: int = 364) -> Config:
    """The published network for pictures of ``side`` pixels; transformers knows the other sizes."""
    return {"vision_config": {"image_size": side}, "qformer_config": {"vocab_size": 30523}}


def config_of(located: Located) -> Config:
    """From config.json beside the weights, else the published one. Raises CheckpointError."""
    path = located.folder / "config.json"
    if not path.is_file():
        return released_config(_side(located))
    config = read_settings(path)
    try:
        side_of(config)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path} is not a configuration of BLIP-2: {error!r}") from error
    return config


def side_of(config: Config) -> int:
    """Height and width of the pictures, in pixels."""
    return int(config["vision_config"].get("image_size", 224))


def network(config: Config) -> nn.Module:
    """The network with random weights, on whatever device torch is set to.

    Raises CheckpointError where the sizes do not make a network.
    """
    ensure_torchvision()
    import transformers

    told = ("num_query_tokens", "image_text_hidden_size")
    try:
        sizes = transformers.Blip2Config(
            vision_config=dict(config["vision_config"]),
            qformer_config={**config["qformer_config"], "use_qformer_text_input": True},
            **{name: config[name] for name in told if name in config},
        )
        built: Any = transformers.Blip2ForImageTextRetrieval(sizes)
    except (TypeError, ValueError, KeyError, StrictDataclassError) as error:
        raise CheckpointError(f"the configuration makes no network: {error}") from error
    built.vision_model.post_layernorm.eps = _LAST_EPS
    model: nn.Module = built
    return model


def empty_network(config: Config) -> Any:
    """The network with its shapes and no numbers, but for those that are counted."""
    with torch.device("meta"):
        model: Any = network(config)
    places = model.embeddings.position_ids.shape[1]
    model.embeddings.position_ids = torch.arange(places)[None]
    return model


def filled_network(config: Config, located: Located) -> Any:
    """The network with the weights of a release in either layout. Raises CheckpointError."""
    model = empty_network(config)
    state = _state(located)
    if any(name.startswith("Qformer.") for name in state):
        layers = len(model.vision_model.encoder.layers)
        state = hub_layout(_with_frozen_tower(state, located.folder, layers))
    load_strictly(model, state, located.source)
    return model


def hub_layout(state: Mapping[str, Tensor]) -> State:
    """A state in LAVIS's names in those of transformers; a name that is not known stays."""
    kept = {name: one for name, one in state.items() if not name.startswith(_LEFT_OUT)}
    named = {_renamed(name): one for name, one in kept.items()}
    for name in [name for name in named if name.endswith(".self_attn.q_bias")]:
        block = name.removesuffix("q_bias")
        if f"{block}v_bias" in named:
            queries, values = named.pop(name), named.pop(f"{block}v_bias")
            bias = torch.cat([queries, torch.zeros_like(values), values])
            named[f"{block}qkv.bias"] = bias
    return named


class Blip2Parts:
    """The parts of a network that ``placement.put`` has placed, as retrieval runs them.

    Texts are token numbers [texts, tokens], 0 where a place is padding.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def features(self, pixels: Tensor) -> Tensor:
        """[pictures, places, width] of pixels [pictures, 3, side, side]."""
        seen: Tensor = self._model.vision_model(pixel_values=pixels).last_hidden_state
        return seen

    def item_rows(self, features: Tensor) -> Tensor:
        """``token_rows`` of the unit vectors of a picture, one a query token."""
        met = self._model.qformer(
            query_embeds=self._queries(len(features)), encoder_hidden_states=features
        ).last_hidden_state
        vectors = normalize(self._model.vision_projection(met), dim=-1)
        return token_rows(vectors, vectors.new_ones(vectors.shape[:2]))

    def text_rows(self, texts: Tensor) -> Tensor:
        """``token_rows`` of the one unit vector of a text."""
        read = self._model.qformer(
            query_embeds=self._model.embeddings(input_ids=texts),
            query_length=0,
            attention_mask=(texts != 0).long(),
        ).last_hidden_state
        vectors = normalize(self._model.text_projection(read[:, :1]), dim=-1)
        return token_rows(vectors, vectors.new_ones(vectors.shape[:2]))

    def match(self, features: Tensor, texts: Tensor) -> Tensor:
        """[pairs] logits that a picture and a text belong together."""
        queries = self._queries(len(texts))
        seen = torch.cat([texts.new_ones(queries.shape[:2]), (texts != 0).long()], dim=1)
        met = self._model.qformer(
            query_embeds=self._model.embeddings(input_ids=texts, query_embeds=queries),
            query_length=queries.shape[1],
            attention_mask=seen,
            encoder_hidden_states=features,
        ).last_hidden_state
        logits: Tensor = self._model.itm_head(met[:, : queries.shape[1]])[:, :, 1]
        return logits.mean(dim=1)

    def _queries(self, count: int) -> Tensor:
        tokens: Tensor = self._model.query_tokens
        return tokens.expand(count, -1, -1)


def _state(located: Located) -> State:
    in_lavis = any(path.suffix == ".pth" for path in located.files)
    return read_state(located.files, under="model" if in_lavis else "")


def _with_frozen_tower(state: State, folder: Path, layers: int) -> State:
    """LAVIS keeps the vision tower of weights that were trained with it frozen in another file."""
    if any(name.startswith("visual_encoder.") for name in state):
        return state
    path = folder / FROZEN_TOWER
    if not path.is_file():
        raise CheckpointError(
            f"These weights of BLIP-2 come without their vision tower: put {FROZEN_TOWER} of "
            f"LAVIS (2 GB) into {folder}, or name the release on the hub."
        )
    beyond = (*_BEYOND, f"blocks.{layers}.")
    tower = {
        f"visual_encoder.{name}": tensor
        for name, tensor in read_state([path]).items()
        if not name.startswith(beyond)
    }
    return {**state, **tower}


def _side(located: Located) -> int:
    """Pictures of LAVIS's weights: as large as the places that the vision tower knows."""
    places = _state(located).get("visual_encoder.pos_embed")
    if places is None or places.ndim != 3:
        return 224
    return _PATCH * round((places.shape[1] - 1) ** 0.5)


def _renamed(name: str) -> str:
    for pattern, new in _RENAMED:
        found, count = re.subn(f"^{pattern}", new, name)
        if count:
            return found
    return name
