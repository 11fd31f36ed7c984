"""Small configurations of open_clip's kinds of network, for tests: two layers, a few channels."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from torch import nn

from retrievers.encoders.openclip_models import Config
from retrievers.torchvision_guard import ensure_torchvision

_DIM = 24
_TRANSFORMER: Config = {"embed_dim": 32, "depth": 2, "num_heads": 2}
_SMALL_TEXT: Config = {
    "context_length": 77,
    "vocab_size": 49408,
    "width": 16,
    "heads": 2,
    "layers": 2,
}


def small_clip(quick_gelu: bool) -> Config:
    """CLIP's kind, on pictures of 32 x 32 parted into 4 x 4."""
    return {
        "embed_dim": _DIM,
        "quick_gelu": quick_gelu,
        "vision_cfg": {
            "image_size": 32,
            "layers": 2,
            "width": 32,
            "head_width": 16,
            "patch_size": 8,
        },
        "text_cfg": _SMALL_TEXT,
    }


def small_mobileclip() -> Config:
    """MobileCLIP-B's kind: a transformer over a stem of convolutions, causal texts."""
    return _over_trunk(retrieval_small_mobileclip, 224, pool="token", text={})


def small_mobileclip2() -> Config:
    """MobileCLIP2-S4's kind: five stages of convolutions and attention, texts read both ways."""
    return _over_trunk(retrieval_small_mobileclip2, 128, pool="avg", text={"no_causal_mask": True})


def small_siglip2() -> Config:
    """SigLIP 2's kind: pooled by attention, texts read both ways and pooled at the last place."""
    text = {
        "context_length": 64,
        "vocab_size": 258,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
        "norm_kwargs": {"eps": 1e-6},
        "act_kwargs": {"approximate": "tanh"},
    }
    config = _over_trunk(retrieval_small_siglip2, 32, pool="map", text=text)
    vision = {**config["vision_cfg"], "timm_proj": "none"}
    return {**config, "embed_dim": 32, "init_logit_bias": -10, "vision_cfg": vision}


def _over_trunk(trunk: Any, side: int, pool: str, text: Config) -> Config:
    _register_trunks()
    return {
        "embed_dim": _DIM,
        "vision_cfg": {
            "timm_model_name": trunk.__name__,
            "timm_model_pretrained": False,
            "timm_pool": pool,
            "timm_proj": None,
            "timm_drop": 0.0,
            "timm_drop_path": 0.0,
            "image_size": side,
        },
        "text_cfg": {**_SMALL_TEXT, **text},
        "custom_text": True,
    }


@cache
def _register_trunks() -> None:
    """open_clip takes an image network from timm, and by its name alone."""
    ensure_torchvision()
    from timm.models import register_model

    for trunk in (retrieval_small_mobileclip, retrieval_small_mobileclip2, retrieval_small_siglip2):
        register_model(trunk)


def retrieval_small_mobileclip(**rest: Any) -> nn.Module:
    """The trunk of MobileCLIP-B at 32 channels."""
    from timm.layers.hybrid_embed import HybridEmbed
    from timm.models.vision_transformer_hybrid import ConvStem

    stem = ConvStem(
        channels=(32, 32, 32),
        stride=(4, 2, 2),
        kernel_size=(4, 2, 2),
        padding=0,
        act_layer=nn.GELU,
    )
    embed = partial(HybridEmbed, backbone=stem, proj=False)
    return _timm("vit_base_mci_224", embed_layer=embed, **_TRANSFORMER, **rest)


def retrieval_small_mobileclip2(**rest: Any) -> nn.Module:
    """The trunk of MobileCLIP2-S4 with one block a stage."""
    return _timm("fastvit_mci4", layers=(1,) * 5, embed_dims=(8, 8, 16, 32, 32), **rest)


def retrieval_small_siglip2(**rest: Any) -> nn.Module:
    """The trunk of SigLIP 2 on pictures of 32 x 32 parted into 4 x 4."""
    return _timm("vit_base_patch16_siglip_224", img_size=32, patch_size=8, **_TRANSFORMER, **rest)


def _timm(name: str, **sizes: Any) -> nn.Module:
    from timm import create_model

    built: nn.Module = create_model(name, **sizes)
    return built
