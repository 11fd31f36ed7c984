"""UMT as it is evaluated for retrieval (Li et al. 2023): two towers first, then matching.

The first stage is the mean of a text's cosines with the frames of a video. Its 128 best are scored
again by the last layers of BERT, which look at all places of all frames; that logit alone ranks
them. The rest, which the public code leaves in no order, follow in that of the first stage. Of a
text 32 tokens are read, as published for MSR-VTT; for MSVD, whose captions are shorter, it was 64.

The features of a video (2352 places of 768 numbers: 7.2 MB in fp32, 3.6 MB in fp16 and bf16) are
encoded once, kept in files under the cache, and mapped into memory as pairs need them.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from datasets.base import ByteArray, Item
from datasets.media.sampling import FrameNumbers
from retrievers.base import Retriever, RetrieverSpec, Settings
from retrievers.cascade import Cascade, depth_of, the_scorer_alone
from retrievers.encoders.bert_network import BertSizes
from retrievers.encoders.bert_tokens import (
    begun_only,
    bert_tokenizer,
    bert_tokens,
    letters_tokenizer,
)
from retrievers.encoders.clip_frames import FrameRecipe, only_file
from retrievers.encoders.pictures import IMAGENET_MEAN, IMAGENET_STD
from retrievers.encoders.token_towers import late_interaction, tiny_late_interaction
from retrievers.encoders.towers import NetworkTower, Placement, Prepare, tower_fingerprint
from retrievers.late_interaction import LateInteraction
from retrievers.pretrained import Options, PretrainedAdapter
from retrievers.scorers.item_features import ItemFeatures, TensorFolder, TensorStore
from retrievers.scorers.pair_matcher import FeatureTower, PairMatcher
from retrievers.scorers.umt_network import Umt, UmtSizes
from retrievers.token_index import best_vector
from retrievers.weights.random import seeded
from retrievers.weights.releases import Located, Release
from retrievers.weights.report import CheckpointError
from retrievers.weights.states import State, load_strictly, read_state

_PACKAGES = ("torch", "tokenizers", "av")
_TOKENS = 32
_FRAMES, _FRAMES_PRETRAINED = 12, 4
_VIDEOS_AT_ONCE, _PAIRS_AT_ONCE = 16, 32
# The head that fills masked words: it is there while the network is trained on several tasks.
_PRETRAINED = "text_encoder.bert."
# The teacher, what the student told it, that head, a temperature, and numbers that are counted.
_LEFT_OUT = ("clip_teacher.", "vision_encoder.clip_decoder.", "text_encoder.cls.", "temp")
_COUNTED = ".position_ids"
# The public code keeps the settings of a run beside its weights, in a dictionary of its own class.
# They are read as a plain one: torch's restricted reader fills no other.
_SETTINGS = type(
    "EasyDict", (), {"__module__": "utils.easydict", "__new__": lambda cls: OrderedDict()}
)


def caption(text: str) -> str:
    """A text as the public code prepares captions: lower case, marks taken out."""
    plain = re.sub(r"""[,.'!?"()*#:;~]""", "", text.lower())
    plain = plain.replace("-", " ").replace("/", " ").replace("<person>", "person")
    return re.sub(r"\s{2,}", " ", plain).rstrip("\n").strip(" ")


def picture(pixels: ByteArray, side: int) -> Tensor:
    """float32 [3, side, side] of uint8 [height, width, 3], whatever its proportions.

    Bicubic without antialiasing and rounded to 8 bits, as the pinned torchvision (0.13) resizes.
    """
    frame = torch.tensor(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float()
    made = functional.interpolate(frame, (side, side), mode="bicubic").clamp(0, 255).round()[0]
    mean, std = (torch.tensor(one)[:, None, None] for one in (IMAGENET_MEAN, IMAGENET_STD))
    return (made / 255 - mean) / std


@dataclass(frozen=True)
class _Stages:
    """What both stages are made of."""

    network: Any
    features: ItemFeatures
    tokens: Prepare[str]
    fingerprint: str
    placement: Placement

    def item_tower(self) -> FeatureTower:
        return FeatureTower(
            self.network.item_rows,
            self.features,
            f"{self.fingerprint}-video",
            self.placement,
            _VIDEOS_AT_ONCE,
        )

    def text_tower(self) -> NetworkTower[str]:
        name = f"{self.fingerprint}-text"
        return NetworkTower(self.tokens, self.network.text_rows, name, self.placement, batch=128)

    def matcher(self) -> PairMatcher:
        return PairMatcher(
            self.network.match, self.features, self.tokens, self.placement, _PAIRS_AT_ONCE
        )


def _stages(
    network: Any,
    recipe: FrameRecipe,
    tokenizer: Tokenizer,
    fingerprint: str,
    placement: Placement,
    store: TensorStore,
) -> _Stages:
    network = placement.put(network)

    def encode(items: Sequence[Item]) -> Tensor:
        frames = placement.take(torch.stack(list(recipe.videos(items))))
        with torch.inference_mode():
            features: Tensor = network.features(frames).cpu()
        return features

    features = ItemFeatures(encode, store, "umt: encoding videos", batch=_VIDEOS_AT_ONCE)
    tokens = bert_tokens(begun_only(tokenizer), _TOKENS, caption)
    return _Stages(network, features, tokens, fingerprint, placement)


def opened(sizes: UmtSizes, spec: RetrieverSpec, located: Located, settings: Settings) -> Retriever:
    """The cascade of a release. Raises CheckpointError."""
    state = _state(located)
    with torch.device("meta"):
        network = Umt(sizes)
    load_strictly(network, state, located.source, renamed=_renamed)
    tokenizer = bert_tokenizer(located, sizes.text.vocabulary)
    fingerprint = tower_fingerprint(spec.name, located, RELEASE, _PACKAGES)
    placement = Placement(settings.device, settings.precision)
    folder = settings.cache / "features" / f"{fingerprint}-{settings.precision}"
    recipe = _recipe(sizes, _frames(state))
    stages = _stages(network, recipe, tokenizer, fingerprint, placement, TensorFolder(folder))
    items, texts = stages.item_tower(), stages.text_tower()
    first = late_interaction(spec, items, texts, sizes.dim, best_vector, settings)
    return _cascade(spec, first, stages)


def _open_tiny(spec: RetrieverSpec, seed: int) -> Retriever:
    network = seeded(seed, lambda: Umt(TINY))
    recipe = _recipe(TINY, 2)
    placement, fingerprint = Placement("cpu"), f"umt-random-{seed}"
    stages = _stages(network, recipe, letters_tokenizer(), fingerprint, placement, {})
    items, texts = stages.item_tower(), stages.text_tower()
    first = tiny_late_interaction(spec, items, texts, TINY.dim, best_vector)
    return _cascade(replace(spec, options={**spec.options, **_options(TINY, 2)}), first, stages)


def _cascade(spec: RetrieverSpec, first: LateInteraction, stages: _Stages) -> Cascade:
    return Cascade(spec, first, stages.matcher(), depth_of(spec), the_scorer_alone)


def told(sizes: UmtSizes, located: Located) -> Options:
    """How many frames a file of weights was tested with. Raises CheckpointError."""
    return _options(sizes, _frames(_state(located)))


def _state(located: Located) -> State:
    """The public code keeps its weights under "model", or keeps nothing else."""
    files = only_file(located)
    try:
        return read_state(files, under="model", harmless=(_SETTINGS,))
    except CheckpointError:
        return read_state(files, harmless=(_SETTINGS,))


def _frames(state: State) -> int:
    is_pretrained = any(name.startswith(_PRETRAINED) for name in state)
    return _FRAMES_PRETRAINED if is_pretrained else _FRAMES


def _renamed(name: str) -> str | None:
    if name.startswith(_LEFT_OUT) or name.endswith(_COUNTED):
        return None
    return name.replace(_PRETRAINED, "text_encoder.", 1)


def _recipe(sizes: UmtSizes, frames: int) -> FrameRecipe:
    return FrameRecipe(FrameNumbers(frames, "centres"), partial(picture, side=sizes.side))


def _options(sizes: UmtSizes, frames: int) -> Options:
    return {
        "frames": f"{frames}, the middle ones of equal parts",
        "picture": f"{sizes.side} px, squash, bicubic without antialiasing",
    }


RELEASE = Release(
    needs=("*.pth|*.safetensors", "vocab.txt|tokenizer.json"),
    obtain=(
        "Its authors give them away at https://pjlab-gvm-data.oss-cn-shanghai.aliyuncs.com/umt/"
        "multi_modality/ (MIT): ret_msrvtt_b16_25m.pth and ret_msvd_b16_25m.pth are fine-tuned, "
        "b16_5m.pth, b16_17m.pth and b16_25m.pth are not, and are tested with 4 frames. Put "
        "vocab.txt of bert-base-uncased beside the file."
    ),
)
FULL = UmtSizes()
TINY = UmtSizes(
    side=16,
    patch=8,
    width=16,
    layers=1,
    heads=2,
    text=BertSizes(vocabulary=77, positions=32, width=16, hidden=32, layers=2, heads=2),
    fusing=1,
    dim=12,
)


def _network() -> nn.Module:
    return Umt(FULL)


UMT = PretrainedAdapter(
    name="umt",
    paradigm="dual tower",
    modalities=("video",),
    licence="MIT",
    release=RELEASE,
    open=partial(opened, FULL),
    open_tiny=_open_tiny,
    network=_network,
    options={
        **_options(FULL, _FRAMES),
        "text": f"word pieces of BERT, lower case without marks, {_TOKENS} tokens, without [SEP]",
        "first stage": "mean of a text's cosines with the frames",
        "score": "matching logit",
        "depth": 128,
    },
    told=partial(told, FULL),
)
