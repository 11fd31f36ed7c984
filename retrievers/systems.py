"""The retrievers that this project brings, a line of facts each."""

from __future__ import annotations

from typing import get_args

from datasets.base import Modality
from retrievers.entry import Entry, PublishedRow

_ALIGNED_ROLES = {
    "image": "hub id or folder of an image tower (CLIP, SigLIP, DINOv2, ViT, ...)",
    "text": "hub id or folder of a sentence encoder (MiniLM, MPNet, E5, ...)",
}

_APPLE_RESTRICTION = "for scientific research only, not for commercial use"

_OF_GRACE = (
    "is of OpenFlamingo-3B, of weights that were not released; this is a small model of the same "
    "idea, trained here"
)
_EMBEDDING_ROLES = {
    "encoder": "a dual tower and its weights, as imagebind:imagebind_huge.pth or clip:default, "
    "whose embeddings of items are taken",
    **_ALIGNED_ROLES,
}
_CART_ROLES = {
    **_EMBEDDING_ROLES,
    "captioner": "what captions the gallery: neighbours (lent training captions, the default), "
    "file:PATH (CSV or JSONL with id and caption), a hub id or folder of BLIP, BLIP-2, GIT or an "
    "image encoder with a decoder (beam:HUB_ID for its likeliest captions), or none",
}

ENTRIES = (
    Entry(
        name="tiny-dual",
        target="retrievers.encoders.tiny.dual:TinyDualAdapter",
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
        target="retrievers.cart:CartAdapter",
        paradigm="generative",
        modalities=get_args(Modality),
        summary="generates the identifier of the item from the query (CART, ACL 2025)",
        licence="Apache-2.0",
        checkpoint_roles={
            **_CART_ROLES,
            "tokenizer": "what splits queries: hub id, folder or tokenizer.json of a fast "
            "tokenizer of transformers; by default a small one is trained on the captions",
        },
        published=PublishedRow("CART(Ours)", differs={"": "is of weights that were not released"}),
    ),
    Entry(
        name="cart-dense",
        target="retrievers.controls.same_pairs:ADAPTER",
        paradigm="dual tower",
        modalities=get_args(Modality),
        summary="a control of cart: a dual tower taught by the same pairs, exact search",
        licence="Apache-2.0",
        checkpoint_roles=_CART_ROLES,
        control=True,
    ),
    Entry(
        name="clip",
        target="retrievers.encoders.clip:CLIP",
        paradigm="dual tower",
        modalities=("image",),
        summary="CLIP ViT-B/32 of OpenAI, zero-shot, cosine of two vectors",
        licence="MIT",
        checkpoint_roles={"model": "hub id, folder or file of CLIP ViT-B/32"},
        parameters=151_277_313,
        published=PublishedRow(
            "CLIP",
            made_of={"": ("openai/clip-vit-base-patch32", "timm/vit_base_patch32_clip_224.openai")},
        ),
    ),
    Entry(
        name="openclip",
        target="retrievers.encoders.clip:OPENCLIP",
        paradigm="dual tower",
        modalities=("image",),
        summary="OpenCLIP ViT-B/32 of LAION-2B, zero-shot, cosine of two vectors",
        licence="MIT",
        checkpoint_roles={"model": "hub id, folder or file of OpenCLIP ViT-B/32"},
        parameters=151_277_313,
        published=PublishedRow(
            "OpenCLIP",
            made_of={"": ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K",)},
        ),
    ),
    Entry(
        name="mobileclip",
        target="retrievers.encoders.clip:MOBILECLIP",
        paradigm="dual tower",
        modalities=("image",),
        summary="MobileCLIP-B of Apple, or B (LT), zero-shot, cosine of two vectors",
        licence="Apple Machine Learning Research Model License",
        checkpoint_roles={"model": "hub id, folder or file of MobileCLIP-B, or B (LT)"},
        parameters=149_777_153,
        restriction=_APPLE_RESTRICTION,
        published=PublishedRow(
            "MobileCLIP",
            differs={"mscoco": "has R@1 50.3 where Apple reports 50.6 of B and 50.0 of B (LT)"},
        ),
    ),
    Entry(
        name="mobileclip2",
        target="retrievers.encoders.clip:MOBILECLIP2",
        paradigm="dual tower",
        modalities=("image",),
        summary="MobileCLIP2-S4 of Apple, zero-shot, cosine of two vectors",
        licence="Apple Machine Learning Research Model License",
        checkpoint_roles={"model": "hub id, folder or file of MobileCLIP2-S4"},
        parameters=445_435_137,
        restriction=_APPLE_RESTRICTION,
    ),
    Entry(
        name="siglip2",
        target="retrievers.encoders.clip:SIGLIP2",
        paradigm="dual tower",
        modalities=("image",),
        summary="SigLIP 2 ViT-B/16 of Google, zero-shot, cosine of two vectors",
        licence="Apache-2.0",
        checkpoint_roles={
            "model": "hub id or folder of SigLIP 2 ViT-B/16 at 224 pixels, with its tokenizer.json"
        },
        parameters=375_187_970,
    ),
    Entry(
        name="imagebind",
        target="retrievers.encoders.imagebind:IMAGEBIND",
        paradigm="dual tower",
        modalities=("image", "audio", "video"),
        summary="ImageBind (Huge), zero-shot: pictures, sounds, clips and texts in one space",
        licence="CC-BY-NC-SA-4.0",
        checkpoint_roles={"model": "file imagebind_huge.pth, or its folder"},
        parameters=1_073_097_728,
        restriction="not for commercial use",
        published=PublishedRow(
            "ImageBind(Huge)",
            made_of={"": ("imagebind_huge.pth",)},
            differs={"msrvtt": "adds the sound of each video: its frames alone had R@1 36.1"},
        ),
    ),
    Entry(
        name="languagebind-image",
        target="retrievers.encoders.languagebind:IMAGE",
        paradigm="dual tower",
        modalities=("image",),
        summary="LanguageBind's tower of images, a CLIP ViT-L/14, zero-shot, cosine of two vectors",
        licence="MIT",
        checkpoint_roles={"model": "hub id, folder or file of LanguageBind_Image"},
        parameters=427_616_513,
        published=PublishedRow(
            "LanguageBind(Image)", made_of={"": ("LanguageBind/LanguageBind_Image",)}
        ),
    ),
    Entry(
        name="languagebind-video",
        target="retrievers.encoders.languagebind:VIDEO",
        paradigm="dual tower",
        modalities=("video",),
        summary="LanguageBind's tower of videos, 8 frames that attend to each other, zero-shot",
        licence="MIT",
        checkpoint_roles={"model": "hub id, folder or file of LanguageBind_Video_FT"},
        parameters=528_623_873,
        published=PublishedRow(
            "LanguageBind(Video)", made_of={"": ("LanguageBind/LanguageBind_Video_FT",)}
        ),
    ),
    Entry(
        name="languagebind-audio",
        target="retrievers.encoders.languagebind:AUDIO",
        paradigm="dual tower",
        modalities=("audio",),
        summary="LanguageBind's tower of sounds, three windows of a spectrum, zero-shot",
        licence="MIT",
        checkpoint_roles={"model": "hub id, folder or file of LanguageBind_Audio_FT"},
        parameters=427_960_577,
        published=PublishedRow(
            "LanguageBind(Audio)",
            made_of={"": ("LanguageBind/LanguageBind_Audio_FT",)},
            differs={"": "does not say which of the two audio releases it is of"},
        ),
    ),
    Entry(
        name="clap",
        target="retrievers.encoders.clap:CLAP",
        paradigm="dual tower",
        modalities=("audio",),
        summary="CLAP of LAION, HTSAT and RoBERTa, zero-shot, the middle 10 s of a sound",
        licence="CC0-1.0",
        checkpoint_roles={
            "model": "hub id or folder of clap-htsat-unfused, or a file of laion-clap such as "
            "630k-best.pt with roberta-base's tokenizer.json beside it"
        },
        parameters=153_492_890,
        published=PublishedRow(
            "CLAP-HTSAT",
            differs={
                "": "does not say which weights it is of, and hears 10 s at random of a sound"
            },
        ),
    ),
    Entry(
        name="htsat-bert",
        target="retrievers.encoders.htsat_bert:HTSAT_BERT",
        paradigm="dual tower",
        modalities=("audio",),
        summary="HTSAT-BERT of WavCaps, fine-tuned, the middle 10 s of a sound",
        licence="UK data copyright exemption",
        checkpoint_roles={
            "model": "file HTSAT-BERT-FT-AudioCaps.pt or HTSAT-BERT-FT-Clotho.pt, with "
            "bert-base-uncased's tokenizer.json beside it"
        },
        parameters=140_100_249,
        restriction="for research that is not commercial",
        published=PublishedRow(
            "HTSAT-BERT",
            made_of={
                "audiocaps": ("HTSAT-BERT-FT-AudioCaps.pt",),
                "clotho": ("HTSAT-BERT-FT-Clotho.pt",),
            },
            differs={"": "hears 10 s of a sound at random"},
        ),
    ),
    Entry(
        name="valor",
        target="retrievers.encoders.valor:VALOR",
        paradigm="dual tower",
        modalities=("audio",),
        summary="VALOR-B before fine-tuning: words and slices of 5 s, each with its nearest",
        licence="MIT",
        checkpoint_roles={
            "model": "file model_step_N.pt of VALOR-base, with bert-base-uncased's vocab.txt"
        },
        parameters=195_557_634,
        published=PublishedRow(
            "VALOR-B",
            differs={"": "is of weights fine-tuned on each data set, which were not released"},
        ),
    ),
    Entry(
        name="blip2",
        target="retrievers.scorers.blip2:BLIP2",
        paradigm="single tower",
        modalities=("image",),
        summary="BLIP-2 ViT-g fine-tuned on COCO: the 128 best of its contrast matched again",
        licence="BSD-3-Clause",
        checkpoint_roles={"model": "hub id or folder of blip2-itm-vit-g(-coco), or LAVIS's .pth"},
        parameters=1_172_623_618,
        published=PublishedRow(
            "BLIP-2",
            made_of={"flickr30k": ("Salesforce/blip2-itm-vit-g-coco", "blip2_finetune_coco.pth")},
            differs={"mscoco": "is of a ViT-L that was not released: this ViT-g has R@1 68.3"},
        ),
    ),
    Entry(
        name="internvl-g",
        target="retrievers.encoders.internvl:INTERNVL_G",
        paradigm="dual tower",
        modalities=("image",),
        summary="InternVL-G 14B, cosine of two vectors, though the paper calls it a single tower",
        licence="MIT",
        checkpoint_roles={"model": "hub id or folder of InternVL-14B-224px"},
        parameters=13_630_355_968,
        published=PublishedRow(
            "InternVL-G",
            made_of={"": ("OpenGVLab/InternVL-14B-224px",)},
        ),
    ),
    Entry(
        name="one-peace",
        target="retrievers.encoders.one_peace:ONE_PEACE",
        paradigm="dual tower",
        modalities=("image", "audio"),
        summary="ONE-PEACE 4B, one transformer for all modalities, cosine of two vectors",
        licence="Apache-2.0",
        checkpoint_roles={
            "model": "one-peace.pt or a file fine-tuned for retrieval, its vocabulary beside it"
        },
        parameters=3_884_739_008,
        published=PublishedRow(
            "ONE-PEACE(Pretrained)",
            made_of={
                "": ("one-peace.pt",),
                "clotho": ("finetune_al_retrieval.pt",),
                "audiocaps": ("finetune_al_retrieval.pt",),
            },
        ),
    ),
    Entry(
        name="clip4clip",
        target="retrievers.encoders.clip4clip:CLIP4CLIP",
        paradigm="dual tower",
        modalities=("video",),
        summary="CLIP ViT-B/32 over 12 frames and their mean, or a transformer over them before it",
        licence="Apache-2.0",
        checkpoint_roles={"model": "file of mmaction2, or what ArrowLuo/CLIP4Clip trained"},
        parameters=151_277_313,
        published=PublishedRow(
            "CLIP4Clip",
            differs={
                "msrvtt": "is of a transformer over the frames, whose weights were not released",
                "msvd": "is of weights trained on MSVD, which were not released",
            },
        ),
    ),
    Entry(
        name="clip2video",
        target="retrievers.encoders.clip2video:CLIP2VIDEO",
        paradigm="dual tower",
        modalities=("video",),
        summary="CLIP ViT-B/32 over 12 frames, their differences, and words and frames aligned",
        licence="MIT",
        checkpoint_roles={"model": "folder CLIP2Video_MSRVTT9k or CLIP2Video_MSVD, or its file"},
        parameters=170_238_209,
        published=PublishedRow(
            "CLIP2Video",
            made_of={"msrvtt": ("CLIP2Video_MSRVTT9k",), "msvd": ("CLIP2Video_MSVD",)},
        ),
    ),
    Entry(
        name="umt",
        target="retrievers.scorers.umt:UMT",
        paradigm="dual tower",
        modalities=("video",),
        summary="UMT-B/16 over 12 frames; the 128 best of its towers are matched again by BERT",
        licence="MIT",
        checkpoint_roles={
            "model": "file ret_msrvtt_b16_25m.pth or another of UMT-B, with BERT's vocabulary"
        },
        parameters=202_411_266,
        published=PublishedRow(
            "UMT-B",
            differs={
                "msrvtt": "is fine-tuned after 5M pairs, not released: after 25M it has R@1 51.0",
                "msvd": "is fine-tuned after 5M pairs, not released: after 25M it has R@1 50.8",
            },
        ),
    ),
    Entry(
        name="cap4video",
        target="",
        paradigm="dual tower",
        modalities=("video",),
        summary="CLIP with captions of each video beside its frames (Wu et al., CVPR 2023)",
        licence="no weights were released",
        published=PublishedRow("Cap4Video"),
    ),
    Entry(
        name="grace-semantic",
        target="retrievers.grace.adapters:SEMANTIC",
        paradigm="generative",
        modalities=("image",),
        summary="a small GRACE (ACL 2024) trained here: generates a caption that names the item",
        licence="Apache-2.0",
        checkpoint_roles=_EMBEDDING_ROLES,
        published=PublishedRow("GRACE", differs={"": _OF_GRACE}, setting="Semantic ID"),
    ),
    Entry(
        name="grace-structured",
        target="retrievers.grace.adapters:STRUCTURED",
        paradigm="generative",
        modalities=("image",),
        summary="a small GRACE trained here: generates the item's path through nested clusters",
        licence="Apache-2.0",
        checkpoint_roles=_EMBEDDING_ROLES,
        published=PublishedRow("GRACE", differs={"": _OF_GRACE}, setting="Structured ID"),
    ),
    Entry(
        name="grace-atomic",
        target="retrievers.grace.adapters:ATOMIC",
        paradigm="generative",
        modalities=("image",),
        summary="a small GRACE trained here: one token an item, so a classifier over the gallery",
        licence="Apache-2.0",
        checkpoint_roles=_EMBEDDING_ROLES,
        published=PublishedRow("GRACE", differs={"": _OF_GRACE}, setting="Atomic ID"),
    ),
)
