"""open_clip's networks: built without weights, filled strictly, and small ones for tests.

The networks and their configurations are those of the package ``open_clip``; its own ways of
finding weights are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from retrievers.encoders.openclip_layouts import from_transformers, is_transformers
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.random import seeded
from retrievers.weights.states import State, load_strictly

Config = Mapping[str, Any]

_SIDE = 32
_SMALL_TEXT: Config = {
    "context_length": 77,
    "vocab_size": 49408,
    "width": 16,
    "heads": 2,
    "layers": 2,
}
_TEMPERATURE = ("logit_scale", "logit_bias")


def released_config(architecture: str) -> Config:
    """The configuration that open_clip holds under this name."""
    config: Config = open_clip().get_model_config(architecture)
    return config


def small_clip(quick_gelu: bool = False) -> Config:
    """Two layers a tower, on pictures of 32 x 32 parted into 4 x 4."""
    return {
        "embed_dim": 24,
        "quick_gelu": quick_gelu,
        "vision_cfg": {
            "image_size": _SIDE,
            "layers": 2,
            "width": 32,
            "head_width": 16,
            "patch_size": 8,
        },
        "text_cfg": _SMALL_TEXT,
    }


def network(config: Config) -> nn.Module:
    """The network with random weights, on whatever device torch is set to."""
    sizes = dict(config)
    models = open_clip().model
    kind = models.CustomTextCLIP if sizes.pop("custom_text", False) else models.CLIP
    built: nn.Module = kind(**sizes)
    return built


def empty_network(config: Config) -> nn.Module:
    """The network with its shapes and no numbers."""
    with torch.device("meta"):
        return network(config)


def random_network(config: Config, seed: int) -> nn.Module:
    return seeded(seed, lambda: network(config))


def filled_network(config: Config, state: State, source: str) -> nn.Module:
    """The network with the weights of a checkpoint. Raises CheckpointError."""
    model = empty_network(config)
    _draw_causal_masks(model)
    load_strictly(model, _in_our_names(state), source)
    return model


def open_clip() -> Any:
    """The package; its import needs torchvision."""
    ensure_torchvision()
    import open_clip

    return open_clip


def _draw_causal_masks(model: nn.Module) -> None:
    """Masks are in no checkpoint: without this they would stay without numbers."""
    for module in model.modules():
        mask = getattr(module, "attn_mask", None)
        if isinstance(mask, Tensor):
            module.attn_mask = torch.full(mask.shape, -torch.inf).triu(1)


def _in_our_names(state: State) -> State:
    named = from_transformers(state) if is_transformers(state) else state
    return {name: _scalar(one) if name in _TEMPERATURE else one for name, one in named.items()}


def _scalar(tensor: Tensor) -> Tensor:
    """Some checkpoints hold a temperature as a row of one."""
    return tensor.reshape(()) if tensor.numel() == 1 else tensor
