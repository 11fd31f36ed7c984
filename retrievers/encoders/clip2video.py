"""CLIP2Video: CLIP over frames, their differences, and words and frames aligned to shared centres.

As its public code tests it (CryhanFang/CLIP2Video), but for three things. That code cuts videos
into pictures of 5 a second with ffmpeg, written as JPEG; here the frames nearest to those moments
are taken as they are. For MSR-VTT it then takes every second of them before it takes 12 of the
rest, for MSVD it does not; here none are left out, which moves a frame by half a second at most in
a video of MSR-VTT. And in a batch it shows the attention heads of one video the padding of another;
here each video is encoded as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from datasets.media.sampling import FrameRate
from retrievers.base import Retriever, RetrieverSpec, Settings
from retrievers.encoders.clip2video_network import PUBLISHED, Blocks, Clip2Video
from retrievers.encoders.clip_frames import (
    ARCHITECTURE,
    PACKAGES,
    FrameRecipe,
    only_file,
    video_towers,
)
from retrievers.encoders.openclip_models import Config, released_config
from retrievers.encoders.openclip_small import small_clip
from retrievers.encoders.openclip_tokens import clip_tokens
from retrievers.encoders.pictures import PictureRecipe
from retrievers.encoders.towers import Placement, dual_tower, tiny_dual_tower, tower_fingerprint
from retrievers.pretrained import PretrainedAdapter
from retrievers.weights.random import seeded
from retrievers.weights.releases import Located, Release
from retrievers.weights.states import State, load_strictly, read_state

_LENGTH = 32
_SAMPLING = FrameRate(5, 12)


@dataclass(frozen=True)
class Form:
    """Sizes of the network; ``clip`` is CLIP's configuration in open_clip's form."""

    clip: Callable[[], Config]
    blocks: Blocks = PUBLISHED

    def network(self) -> Clip2Video:
        return Clip2Video(self.clip(), self.blocks)

    @property
    def dim(self) -> int:
        return 2 * int(self.clip()["embed_dim"])

    @property
    def picture(self) -> PictureRecipe:
        return PictureRecipe(self.clip()["vision_cfg"]["image_size"])

    @property
    def frames(self) -> FrameRecipe:
        return FrameRecipe(_SAMPLING, self.picture.picture)


def opened(form: Form, spec: RetrieverSpec, located: Located, settings: Settings) -> Retriever:
    """The dual tower of a file of weights. Raises CheckpointError."""
    state = read_state(only_file(located))
    with torch.device("meta"):
        network = _with_centres_of(state, form).network()
    load_strictly(network, state, located.source)
    placement = Placement(settings.device, settings.precision)
    fingerprint = tower_fingerprint(spec.name, located, RELEASE, PACKAGES)
    items, texts = video_towers(network, form.frames, clip_tokens(_LENGTH), fingerprint, placement)
    return dual_tower(spec, items, texts, form.dim, settings)


def opened_tiny(form: Form, spec: RetrieverSpec, seed: int) -> Retriever:
    """The dual tower with random weights."""
    network: nn.Module = seeded(seed, form.network)
    fingerprint, placement = f"{spec.name}-random-{seed}", Placement("cpu")
    items, texts = video_towers(network, form.frames, clip_tokens(_LENGTH), fingerprint, placement)
    return tiny_dual_tower(spec, items, texts, form.dim)


def _with_centres_of(state: State, form: Form) -> Form:
    """With as many centres as the checkpoint has: 5, or 7 where it was trained on VATEX."""
    centres = state.get("weight_center")
    if centres is None or not centres.ndim:
        return form
    return replace(form, blocks=replace(form.blocks, centres=len(centres)))


RELEASE = Release(
    needs=("*.safetensors|pytorch_model.bin*",),
    obtain=(
        "pytorch_model.bin.N (0.7 GB, MIT) is on Google Drive, a folder for each dataset that it "
        "was trained on: MSR-VTT-9k in https://drive.google.com/drive/folders/"
        "1a5Dcg8wNh88Z-bxb0ZMV3IJFjtSe7X2A, MSVD in https://drive.google.com/drive/folders/"
        "1LKMUZFf9EAxFbGShlA22eUCeGKC8DWx4. Keep them in folders CLIP2Video_MSRVTT9k and "
        "CLIP2Video_MSVD and name the folder: by that the published figures are matched."
    ),
)
FULL = Form(partial(released_config, ARCHITECTURE))
TINY = Form(partial(small_clip, quick_gelu=True), Blocks(layers=1, centres=3))
CLIP2VIDEO = PretrainedAdapter(
    name="clip2video",
    paradigm="dual tower",
    modalities=("video",),
    licence="MIT",
    release=RELEASE,
    open=partial(opened, FULL),
    open_tiny=partial(opened_tiny, TINY),
    network=FULL.network,
    options={
        "model": ARCHITECTURE,
        "frames": "5 a second; of more than 12, 12 evenly from the first to the last",
        "picture": FULL.picture.told,
        "text": f"word pieces of CLIP in lower case, {_LENGTH} tokens",
        "score": "mean of the cosines of two vectors a side",
    },
)
