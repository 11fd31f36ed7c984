"""ImageBind (Girdhar et al. 2023): pictures, clips, sounds and texts in one space.

A clip is seen as 15 views and a sound heard as 3; its vector is the mean of theirs, each of
length 1, and the score is the inner product of that mean with the text's unit vector. The mean
is shorter than 1 the more its views differ, and it is not lengthened: the cosine would be another
score. The released model multiplies all vectors of texts by one positive number, those of sounds
by 20: neither changes a ranking, and both are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datasets.base import ByteArray, Item, SampleArray, SecondsArray
from datasets.media.sampling import WindowSampling
from datasets.media.sounds import decode_windows
from datasets.media.videos import decode_clips
from retrievers.base import FloatArray, Retriever, RetrieverSpec, Settings
from retrievers.embedding_cache import Tower
from retrievers.encoders.by_modality import ByModality
from retrievers.encoders.imagebind_network import HUGE, Config, ImageBind, Trunk, renamed
from retrievers.encoders.kaldi_fbank import kaldi_fbank
from retrievers.encoders.openclip_tokens import clip_tokens
from retrievers.encoders.pictures import CLIP_MEAN, CLIP_STD, PictureRecipe
from retrievers.encoders.towers import (
    NetworkTower,
    Placement,
    Prepare,
    dual_tower,
    tiny_dual_tower,
    tower_fingerprint,
)
from retrievers.pretrained import PretrainedAdapter
from retrievers.weights.random import seeded
from retrievers.weights.releases import Located, Release
from retrievers.weights.states import load_strictly, read_state

# The smallest that has every part: 2 x 2 patches of a frame, 2 x 3 of a sound.
TINY = Config(
    dim=24,
    vision=Trunk(width=32, layers=2, heads=2),
    audio=Trunk(width=24, layers=2, heads=2),
    text=Trunk(width=16, layers=2, heads=2),
    side=28,
    mels=26,
    frames=36,
)

_PACKAGES = ("open_clip_torch", "torchvision", "pillow", "av", "soundfile", "soxr", "ftfy")
# Views of one clip are as much work as as many pictures.
_BATCH, _CLIPS = 32, 4

_SOUNDS = WindowSampling(16_000, 2.0, 3, "spread", pad="nothing", mono="first")
_SOUND_MEAN, _SOUND_STD = -4.268, 9.138

RELEASE = Release(
    needs=("imagebind_huge.pth",),
    obtain=(
        "Its authors give imagebind_huge.pth (4.8 GB, CC-BY-NC-SA-4.0) at "
        "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth."
    ),
)


@dataclass(frozen=True)
class ClipEnds:
    """The first and the last frame of each of ``clips`` stretches of a video.

    They last ``seconds`` each and lie at even distances from its beginning to its end; a shorter
    video is one stretch, seen again and again. The published preparation takes the first frame
    not before a stretch and the last one before its end. What is asked for here lies as far inside
    (``first``, ``last``, seconds) as is nearest to those frames at 24 to 30 a second; now and then
    it is nearer to a neighbour.
    """

    clips: int = 5
    seconds: float = 2.0
    first: float = 0.0155
    last: float = 0.021

    @property
    def count(self) -> int:
        return 2 * self.clips

    def times(self, duration_seconds: float) -> SecondsArray:
        """Seconds from the beginning, float64 [2 clips]: first, last, first, last ..."""
        starts = np.linspace(0.0, max(0.0, duration_seconds - self.seconds), self.clips)
        ends = np.minimum(starts + self.seconds, duration_seconds)
        inside = np.stack([starts + self.first, ends - self.last], axis=1).ravel()
        return np.clip(inside, 0.0, duration_seconds)


def pictures(side: int) -> Prepare[Item]:
    """Pictures prepared as for CLIP: one view each, [1, 3, 2, side, side], shown twice."""
    recipe = PictureRecipe(side)

    def views(items: Sequence[Item]) -> Iterator[Tensor]:
        return (
            picture[None, :, None].expand(-1, -1, 2, -1, -1) for picture in recipe.pictures(items)
        )

    return views


def clips(side: int) -> Prepare[Item]:
    """Each clip seen through three windows, [15, 3, 2, side, side]."""

    def views(items: Sequence[Item]) -> Iterator[Tensor]:
        for clip in decode_clips(items, ClipEnds()):
            # [10 frames, 3 windows, 3, side, side]
            frames = torch.stack([_three_windows(frame, side) for frame in clip.frames])
            pairs = frames.unflatten(0, (-1, 2)).permute(0, 2, 3, 1, 4, 5)
            yield pairs.flatten(0, 1)

    return views


def sounds(mels: int, frames: int) -> Prepare[Item]:
    """The log-mel bands of three windows of two seconds, [3, 1, mels, frames].

    Each window is resampled by itself and loses its own mean. The published code resamples the
    whole, and where windows overlap, in sounds under six seconds, takes one's mean from another.
    """

    def views(items: Sequence[Item]) -> Iterator[Tensor]:
        for windows in decode_windows(items, _SOUNDS):
            yield torch.stack([_bands(window, mels, frames) for window in windows])

    return views


def mean_of_views(tower: nn.Module, views: Tensor) -> Tensor:
    """[batch, dim] of [batch, views, ...]: the mean of the views' unit vectors."""
    vectors = F.normalize(tower(views.flatten(0, 1)).float(), dim=-1)
    return vectors.unflatten(0, views.shape[:2]).mean(dim=1)


def item_tower(
    network: ImageBind, config: Config, fingerprint: str, placement: Placement
) -> ByModality:
    """Items as the released model encodes them, [items, dim], the scale of sounds left out."""

    def tower(prepare: Prepare[Item], part: nn.Module, batch: int = _BATCH) -> Tower[Item]:
        forward = partial(mean_of_views, part)
        return NetworkTower(prepare, forward, fingerprint, placement, batch)

    return ByModality(
        {
            "image": tower(pictures(config.side), network.vision),
            "video": tower(clips(config.side), network.vision, _CLIPS),
            "audio": tower(sounds(config.mels, config.frames), network.audio),
        },
        f"{fingerprint}-{placement.precision}",
    )


class OnSphere:
    """Adds a coordinate that makes the vectors of a tower, none longer than 1, as long as 1.

    Texts have 0 there, so the cosine is the inner product with what the tower gave.
    """

    def __init__(self, tower: Tower[Item]) -> None:
        self._tower = tower
        self.fingerprint = f"{tower.fingerprint}-sphere"

    def encode(self, items: Sequence[Item], /) -> FloatArray:
        """[items, dim + 1]"""
        vectors = self._tower.encode(items)
        lack = 1 - np.square(vectors).sum(axis=1, keepdims=True)
        return np.concatenate([vectors, np.sqrt(np.maximum(lack, 0))], axis=1)


def text_tower(
    network: ImageBind, config: Config, fingerprint: str, placement: Placement
) -> NetworkTower[str]:
    """Texts as the released model encodes them, without the scale; [texts, dim + 1], 0 at last."""

    def forward(tokens: Tensor) -> Tensor:
        return F.pad(F.normalize(network.text(tokens).float(), dim=-1), (0, 1))

    return NetworkTower(clip_tokens(config.context), forward, fingerprint, placement, _BATCH)


def adapter(config: Config) -> PretrainedAdapter:
    """The system with a network of these sizes."""
    return PretrainedAdapter(
        name="imagebind",
        paradigm="dual tower",
        modalities=("image", "audio", "video"),
        licence="CC-BY-NC-SA-4.0",
        release=RELEASE,
        open=partial(_open, config),
        open_tiny=_open_tiny,
        network=partial(ImageBind, config),
        options={
            "picture": PictureRecipe(config.side).told,
            "frames": f"5 clips of 2 s, first and last frame, 3 windows of {config.side} px",
            "sound": "first channel, 3 windows of 2 s, "
            f"{config.mels} mel bands at {config.frames} moments",
            "views": "mean of unit vectors",
            "text": f"word pieces of CLIP in lower case, {config.context} tokens",
            "score": "inner product",
        },
    )


def filled(config: Config, located: Located, placement: Placement) -> ImageBind:
    """The network with all of the released weights that it needs. Raises CheckpointError."""
    with torch.device("meta"):
        network = ImageBind(config)
    load_strictly(network, read_state(located.files), located.source, renamed=renamed)
    placement.put(network)
    return network


def _open(config: Config, spec: RetrieverSpec, located: Located, settings: Settings) -> Retriever:
    placement = Placement(settings.device, settings.precision)
    network = filled(config, located, placement)
    fingerprint = tower_fingerprint("imagebind", located, RELEASE, _PACKAGES)
    items = OnSphere(item_tower(network, config, fingerprint, placement))
    texts = text_tower(network, config, fingerprint, placement)
    return dual_tower(spec, items, texts, config.dim + 1, settings)


def _open_tiny(spec: RetrieverSpec, seed: int) -> Retriever:
    network = seeded(seed, lambda: ImageBind(TINY))
    placement = Placement("cpu")
    placement.put(network)
    items = OnSphere(item_tower(network, TINY, f"imagebind-{seed}", placement))
    texts = text_tower(network, TINY, f"imagebind-{seed}", placement)
    return tiny_dual_tower(spec, items, texts, TINY.dim + 1)


def _three_windows(frame: ByteArray, side: int) -> Tensor:
    """The ends and the middle of a frame along its longer side, float32 [3, 3, side, side].

    The shorter side becomes ``side``, bilinear without antialiasing, as it was published.
    """
    height, width = frame.shape[:2]
    size = (
        (math.floor(height / width * side), side)
        if width < height
        else (side, math.floor(width / height * side))
    )
    pixels = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None] / 255
    (scaled,) = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
    mean, std = (torch.tensor(of)[:, None, None] for of in (CLIP_MEAN, CLIP_STD))
    along = 1 if height > width else 2
    room = scaled.shape[along] - side
    windows = [scaled.narrow(along, start, side) for start in (0, math.ceil(room / 2), room)]
    return (torch.stack(windows) - mean) / std


def _bands(window: SampleArray, mels: int, frames: int) -> Tensor:
    """float32 [1, mels, frames]; what a window lacks is 0 before the normalisation."""
    bands = kaldi_fbank(window - window.mean(), _SOUNDS.rate, mels=mels)[:frames]
    padded = F.pad(bands, (0, 0, 0, frames - len(bands)))
    return (padded.T[None] - _SOUND_MEAN) / _SOUND_STD


IMAGEBIND = adapter(HUGE)
