"""The retrievers that this project brings, a line of facts each."""

from __future__ import annotations

from typing import get_args

from datasets.base import Modality
from retrievers.entry import Entry, PublishedRow

_ALIGNED_ROLES = {
    "image": "hub id or folder of an image tower (CLIP, SigLIP, DINOv2, ViT, ...)",
    "text": "hub id or folder of a sentence encoder (MiniLM, MPNet, E5, ...)",
}

ENTRIES = (
    Entry(
        name="tiny-dual",
        target="retrievers.encoders.tiny_dual:TinyDualAdapter",
        paradigm="dual tower",
        modalities=get_args(Modality),
        summary="small item and text towers trained here on the training pairs, exact search",
        licence="Apache-2.0",
    ),
    Entry(
        name="aligned",
        target="retrievers.encoders.aligned:AlignedAdapter",
        paradigm="dual tower",
        modalities=("image", "video"),
        summary="frozen image and text towers joined by a linear map fitted here, exact search",
        licence="that of the two towers",
        checkpoint_roles=_ALIGNED_ROLES,
    ),
    Entry(
        name="cart",
        target="retrievers.generative:CartAdapter",
        paradigm="generative",
        modalities=get_args(Modality),
        summary="generates the identifier of the item from the query (CART, ACL 2025)",
        licence="Apache-2.0",
        checkpoint_roles=_ALIGNED_ROLES,
        published=PublishedRow("CART(Ours)", differs={"": "is of weights that were not released"}),
    ),
    Entry(
        name="clip",
        target="retrievers.encoders.clip:CLIP",
        paradigm="dual tower",
        modalities=("image",),
        summary="CLIP ViT-B/32 of OpenAI, zero-shot, cosine of two vectors",
        licence="MIT",
        checkpoint_roles={"model": "hub id, folder or file of the weights of CLIP ViT-B/32"},
        parameters=151_277_313,
        published=PublishedRow(
            "CLIP",
            made_of={"": ("openai/clip-vit-base-patch32", "timm/vit_base_patch32_clip_224.openai")},
        ),
    ),
)
