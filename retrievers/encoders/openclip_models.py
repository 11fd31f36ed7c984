"""open_clip's networks: built without weights, filled strictly, and small ones for tests.

The networks and their configurations are those of the package ``open_clip``; its own ways of
finding weights are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from retrievers.encoders.openclip_layouts import in_open_clips_names
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.random import seeded
from retrievers.weights.states import State, load_strictly

Config = Mapping[str, Any]

_TEMPERATURE = ("logit_scale", "logit_bias")


def released_config(architecture: str) -> Config:
    """The configuration that open_clip holds under this name."""
    config: Config = open_clip().get_model_config(architecture)
    return config


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
    load_strictly(model, _with_scalars(in_open_clips_names(state)), source)
    return model


def fused(model: nn.Module) -> nn.Module:
    """Parallel convolutions and what normalises them as one convolution: the same, and faster."""
    ensure_torchvision()
    from timm.utils.model import reparameterize_model

    one: nn.Module = reparameterize_model(model.eval(), inplace=True)
    return one


def as_apples_own(model: nn.Module) -> nn.Module:
    """MobileCLIP-B as the package of its authors computes it.

    timm, whose image network open_clip takes, does not pad the first convolution, which shifts
    the patches by a pixel, and adds 1e-6 where theirs adds 1e-5 to a variance.
    """
    trunk: Any = model.get_submodule("visual.trunk")
    trunk.patch_embed.backbone[0].conv.padding = (1, 1)
    for module in trunk.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-5
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


def _with_scalars(state: State) -> State:
    """Some checkpoints hold a temperature as a row of one."""
    return {
        name: one.reshape(()) if name in _TEMPERATURE and one.numel() == 1 else one
        for name, one in state.items()
    }
