"""CLIP4Clip: CLIP over the frames of a video, and the mean of what it sees (arXiv 2104.08860).

There are two public codes. Its authors' (ArrowLuo/CLIP4Clip) has several ways to join the frames;
read here are the mean ("meanP") and the transformer over frames before it ("seqTransf"), whichever
the weights are of. They gave no weights away. mmaction2 trained the mean anew and did, but it
prepares frames and texts otherwise. A file is read as the code that wrote it reads: mmaction2 keeps
the weights under "state_dict", beside notes, the authors keep nothing else.

The authors' code walks a video at its frame rate rounded down to a whole number; here seconds are
seconds, which is the same for the videos of 3 frames a second that they tell users to make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from datasets.base import ByteArray
from datasets.media.sampling import FrameNumbers, FrameRate
from retrievers.base import Retriever, RetrieverSpec, Settings
from retrievers.encoders.clip_frames import (
    ARCHITECTURE,
    PACKAGES,
    FrameRecipe,
    FrameTransformer,
    clip_network,
    frame_vectors,
    mean_of_shown,
    only_file,
    shown,
    token_vectors,
    vectors_at_end,
    video_towers,
)
from retrievers.encoders.openclip_models import Config, released_config
from retrievers.encoders.openclip_small import small_clip
from retrievers.encoders.openclip_tokens import clip_tokens
from retrievers.encoders.opencv_bilinear import resized
from retrievers.encoders.pictures import PictureRecipe
from retrievers.encoders.towers import Placement, dual_tower, tiny_dual_tower, tower_fingerprint
from retrievers.pretrained import Options, PretrainedAdapter
from retrievers.weights.random import seeded
from retrievers.weights.releases import Located, Release
from retrievers.weights.report import CheckpointError
from retrievers.weights.states import State, load_strictly, read_state

_FRAMES = 12
# Of pixels in 0 to 255, as mmaction2's configuration rounds CLIP's.
_MEAN = torch.tensor((122.771, 116.746, 104.093))[:, None, None]
_STD = torch.tensor((68.500, 66.632, 70.323))[:, None, None]


def mmaction_picture(pixels: ByteArray, side: int = 224, short: int = 256) -> Tensor:
    """float32 [3, side, side] of uint8 [height, width, 3], as mmaction2 does it with OpenCV.

    The short side becomes ``short``, then the centre is cut out.
    """
    scale = short / min(pixels.shape[:2])
    height, width = (int(size * scale + 0.5) for size in pixels.shape[:2])
    top, left = (height - side) // 2, (width - side) // 2
    centre = resized(pixels, height, width, (slice(top, top + side), slice(left, left + side)))
    return (torch.from_numpy(centre).permute(2, 0, 1).float() - _MEAN) / _STD


@dataclass(frozen=True)
class Recipe:
    """How one of the two codes reads videos and texts.

    length       tokens of a text
    unit_frames  whether the vector of each frame is made of length 1 before the mean
    told         the same in words, for the results
    """

    frames: FrameRecipe
    length: int
    unit_frames: bool
    told: Options


AUTHORS = Recipe(
    FrameRecipe(FrameRate(1, _FRAMES), PictureRecipe(224).picture),
    length=32,
    unit_frames=True,
    told={
        "code": "ArrowLuo/CLIP4Clip",
        "frames": "one a second; of more than 12, 12 evenly from the first to the last",
        "picture": "224 px, shortest, bicubic",
        "text": "word pieces of CLIP in lower case, 32 tokens",
        "mean": "of unit vectors of the frames",
    },
)
MMACTION = Recipe(
    FrameRecipe(FrameNumbers(_FRAMES, "middles"), mmaction_picture),
    length=77,
    unit_frames=False,
    told={
        "code": "mmaction2",
        "frames": "12, in the middles of equal parts",
        "picture": "224 px of 256 px, shortest, bilinear without antialiasing",
        "text": "word pieces of CLIP in lower case, 77 tokens",
        "mean": "of the vectors of the frames as they are",
    },
)


@dataclass(frozen=True)
class Form:
    """Sizes of the networks and the two ways to feed them.

    clip  CLIP's configuration in open_clip's form
    """

    clip: Callable[[], Config]
    authors: Recipe = AUTHORS
    mmaction: Recipe = MMACTION


class Clip4Clip(nn.Module):
    """CLIP and, with more than 0 ``layers``, a transformer over the frames."""

    def __init__(self, clip: Config, layers: int, unit_frames: bool) -> None:
        super().__init__()
        self.clip = clip_network(clip)
        self.unit_frames = unit_frames
        self.layers = layers
        if layers:
            text, width = clip["text_cfg"], clip["embed_dim"]
            self.frame_position_embeddings = nn.Embedding(text["context_length"], width)
            self.transformerClip = FrameTransformer(width, layers, text["heads"])

    def encode_videos(self, frames: Tensor) -> Tensor:
        """[videos, dim] of frames [videos, count, 3, side, side]; zeros are padding."""
        seen = shown(frames)
        vectors = frame_vectors(self.clip, frames)
        if self.layers:
            placed = vectors + self.frame_position_embeddings.weight[: vectors.shape[1]]
            vectors = vectors + self.transformerClip(placed, seen)
        return mean_of_shown(
            functional.normalize(vectors, dim=2) if self.unit_frames else vectors, seen
        )

    def encode_texts(self, tokens: Tensor) -> Tensor:
        """[texts, dim] of token numbers [texts, length]."""
        return vectors_at_end(token_vectors(self.clip, tokens), tokens)


def opened(form: Form, spec: RetrieverSpec, located: Located, settings: Settings) -> Retriever:
    """The dual tower of a file of weights. Raises CheckpointError."""
    recipe, state = _read(form, located)
    config = form.clip()
    with torch.device("meta"):
        network = Clip4Clip(config, _layers(state), recipe.unit_frames)
    load_strictly(network, state, located.source)
    placement = Placement(settings.device, settings.precision)
    fingerprint = tower_fingerprint(spec.name, located, RELEASE, PACKAGES)
    items, texts = _towers(network, recipe, fingerprint, placement)
    return dual_tower(spec, items, texts, config["embed_dim"], settings)


def opened_tiny(form: Form, spec: RetrieverSpec, seed: int) -> Retriever:
    """The dual tower with random weights and one layer over the frames."""
    config = form.clip()
    network = seeded(seed, lambda: Clip4Clip(config, 1, form.authors.unit_frames))
    fingerprint = f"{spec.name}-random-{seed}"
    items, texts = _towers(network, form.authors, fingerprint, Placement("cpu"))
    told = replace(spec, options={**spec.options, **_options(form.authors, 1)})
    return tiny_dual_tower(told, items, texts, config["embed_dim"])


def told(form: Form, located: Located) -> Options:
    """What a file of weights says of its own preparation. Raises CheckpointError."""
    recipe, state = _read(form, located)
    return _options(recipe, _layers(state))


def small_form(config: Callable[[], Config]) -> Form:
    """The same with networks of another size."""
    side = config()["vision_cfg"]["image_size"]
    picture = partial(mmaction_picture, side=side, short=side + side // 7)
    return Form(
        config,
        replace(AUTHORS, frames=replace(AUTHORS.frames, picture=PictureRecipe(side).picture)),
        replace(MMACTION, frames=replace(MMACTION.frames, picture=picture)),
    )


def _towers(network: nn.Module, recipe: Recipe, fingerprint: str, placement: Placement) -> Any:
    rows = clip_tokens(recipe.length)
    return video_towers(network, recipe.frames, rows, fingerprint, placement)


def _read(form: Form, located: Located) -> tuple[Recipe, State]:
    files = only_file(located)
    try:
        return form.mmaction, read_state(files, under="state_dict")
    except CheckpointError:
        return form.authors, read_state(files)


def _layers(state: State) -> int:
    start = "transformerClip.resblocks."
    return len({name.split(".")[2] for name in state if name.startswith(start)})


def _options(recipe: Recipe, layers: int) -> Options:
    return {**recipe.told, "layers over frames": layers}


RELEASE = Release(
    needs=("*.pth|*.safetensors|pytorch_model.bin*",),
    obtain=(
        "The authors gave no weights away. mmaction2 did, of the mean of frames, trained on the "
        "9,000 videos of MSR-VTT (R@1 43.1): https://download.openmmlab.com/mmaction/v1.0/"
        "retrieval/clip4clip/clip4clip_vit-base-p32-res224-clip-pre_8xb16-u12-5e_msrvtt-9k-rgb/"
        "clip4clip_vit-base-p32-res224-clip-pre_8xb16-u12-5e_msrvtt-9k-rgb_20230612-b9706e54.pth "
        "(0.6 GB, Apache-2.0). Keep the file as it is: how it is nested says how it is fed. What "
        "the authors' code trains (pytorch_model.bin.N) is read as well."
    ),
)
FULL = Form(partial(released_config, ARCHITECTURE))
TINY = small_form(partial(small_clip, quick_gelu=True))
CLIP4CLIP = PretrainedAdapter(
    name="clip4clip",
    paradigm="dual tower",
    modalities=("video",),
    licence="Apache-2.0",
    release=RELEASE,
    open=partial(opened, FULL),
    open_tiny=partial(opened_tiny, TINY),
    network=lambda: Clip4Clip(FULL.clip(), 0, MMACTION.unit_frames),
    options={"model": ARCHITECTURE, "score": "cosine"},
    told=partial(told, FULL),
)
