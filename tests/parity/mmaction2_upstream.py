"""mmaction2's CLIP4Clip, run from its source over mmengine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets.base import ByteArray
from tests.parity.borrowed import borrowed, module, package
from tests.parity.goldens import FloatArray, peers, upstream_source

_NEEDED = ("mmengine", "mmcv-lite", "opencv-python-headless", "addict", "yapf", "termcolor")
_PARTS = (
    "mmaction",
    "mmaction.models",
    "mmaction.models.data_preprocessors",
    "mmaction.models.similarity",
    "mmaction.datasets",
    "mmaction.datasets.transforms",
)


def vectors(
    state: Mapping[str, torch.Tensor],
    shown: Sequence[ByteArray],
    texts: Sequence[str],
    side: int,
    short: int,
) -> tuple[FloatArray, FloatArray]:
    """What its test gives: unit vectors of videos [videos, dim] and of texts [texts, dim]."""
    source, clip_source = upstream_source("mmaction2"), upstream_source("CLIP")
    parts = {name: package(name, source.joinpath(*name.split("."))) for name in _PARTS}
    names = ("get_random_string", "get_shm_dir", "get_thread_id", "ForwardResults")
    rest = dict.fromkeys((*names, "OptSampleList", "SampleList"))
    parts["mmaction.utils"] = module("mmaction.utils", **rest)
    with borrowed([clip_source, source, _installed()], parts):
        return _vectors(state, shown, texts, _pipeline(side, short))


def _vectors(
    state: Mapping[str, torch.Tensor],
    shown: Sequence[ByteArray],
    texts: Sequence[str],
    pipeline: Callable[[ByteArray], Any],
) -> tuple[FloatArray, FloatArray]:
    import clip
    import clip.model
    from mmaction.models.data_preprocessors import data_preprocessor  # noqa: F401
    from mmaction.models.data_preprocessors import multimodal_data_preprocessor as multimodal
    from mmaction.models.similarity import adapters  # noqa: F401
    from mmaction.models.similarity.clip_similarity import CLIPSimilarity
    from mmaction.registry import MODELS
    from torch import nn

    MODELS.register_module(module=nn.CrossEntropyLoss, force=True)
    own = {name.removeprefix("clip."): one.clone() for name, one in state.items()}
    clip.load = lambda arch, device: (clip.model.build_model(own), None)
    normalised = {
        "type": "ActionDataPreprocessor",
        "mean": [122.771, 116.746, 104.093],
        "std": [68.500, 66.632, 70.323],
        "format_shape": "NCHW",
    }
    plain = {"type": "ActionDataPreprocessor", "to_float32": False}
    model = CLIPSimilarity(
        clip_arch="ViT-B/32",
        to_float32=True,
        data_preprocessor=multimodal.MultiModalDataPreprocessor(
            {"imgs": normalised, "text": plain}
        ),
        adapter={"type": "SimpleMeanAdapter"},
        loss={"type": "CrossEntropyLoss"},
    )
    model.load_state_dict(dict(state), strict=True)
    model.eval()
    frames = [torch.from_numpy(pipeline(one)) for one in shown]
    tokens = [clip.tokenize(one, truncate=True)[0] for one in texts]
    with torch.inference_mode():
        prepared = model.data_preprocessor(
            {"inputs": {"imgs": frames, "text": tokens}, "data_samples": None}
        )
        of_videos, of_texts = model.extract_feat(prepared["inputs"])
    return of_videos.numpy(), of_texts.numpy()


def _pipeline(side: int, short: int) -> Callable[[ByteArray], Any]:
    """The released configuration's, from decoded frames on, at another size of picture."""
    from mmaction.datasets.transforms.formatting import FormatShape
    from mmaction.datasets.transforms.loading import UniformSample
    from mmaction.datasets.transforms.processing import CenterCrop, Resize

    sample = UniformSample(clip_len=12, num_clips=1, test_mode=True)
    steps = [Resize(scale=(-1, short)), CenterCrop(crop_size=side), FormatShape("NCHW")]

    def prepared(shown: ByteArray) -> Any:
        results = sample.transform({"total_frames": len(shown), "start_index": 0})
        frames = [shown[row] for row in results["frame_inds"]]
        results |= {"imgs": frames, "img_shape": shown.shape[1:3], "modality": "RGB"}
        for step in steps:
            results = step.transform(results)
        return np.ascontiguousarray(results["imgs"])

    return prepared


def _installed() -> Path:
    folder = peers() / "mmaction2"
    if not (folder / "mmengine").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*pip, str(folder), *_NEEDED], check=True)  # noqa: S603
    return folder
