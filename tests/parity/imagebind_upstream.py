"""The authors' code of ImageBind, run as it stands where what it imports is not here.

Its own preparations run too, with pytorchvideo's choice of clips and torchaudio's bands; what
decodes files is replaced by what holds the same samples and frames.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import soundfile
import torch

from datasets.base import ByteArray
from retrievers.torchvision_guard import ensure_torchvision
from tests.parity import borrowed, goldens


def upstream(frames_of: Callable[[str], ByteArray], fps: float) -> tuple[ModuleType, Any]:
    """Its modules of preparations and of networks; skips the test where a source is not given.

    frames_of  the name of a video -> its frames [frames, height, width, 3], ``fps`` a second
    """
    ensure_torchvision()
    root = goldens.upstream_source("ImageBind")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root)
        _stand_in(patch, root, lambda name, **options: _Video(frames_of(name), fps))
        found = [
            importlib.import_module(f"imagebind.{name}")
            for name in ("data", "models.imagebind_model")
        ]
    for name in [name for name in sys.modules if name.split(".")[0] == "imagebind"]:
        del sys.modules[name]
    return found[0], found[1]


def _stand_in(patch: pytest.MonkeyPatch, root: Path, video: Callable[..., _Video]) -> None:
    """Put into ``sys.modules`` what it imports."""

    def module(name: str, **holds: Any) -> None:
        patch.setitem(sys.modules, name, borrowed.module(name, **holds))

    def file(name: str, source: str, path: str) -> ModuleType:
        """One file of a package whose other files need what is not here."""
        named = importlib.util.spec_from_file_location(name, goldens.upstream_source(source) / path)
        assert named is not None and named.loader is not None
        made = importlib.util.module_from_spec(named)
        patch.setitem(sys.modules, name, made)
        named.loader.exec_module(made)
        return made

    module("einops", rearrange=lambda tensor, _: tensor.transpose(0, 1))
    module("iopath")
    module("iopath.common")
    module("iopath.common.file_io", g_pathmgr=SimpleNamespace(open=open))
    module("pkg_resources", resource_filename=lambda _, name: str(root / "imagebind" / name))
    module("torchaudio")
    kaldi = file("torchaudio.compliance.kaldi", "torchaudio", "torchaudio/compliance/kaldi.py")
    module("torchaudio", load=_load_sound, compliance=SimpleNamespace(kaldi=kaldi))
    functional = file("functional", "pytorchvideo", "pytorchvideo/transforms/functional.py")
    transforms = SimpleNamespace(
        ShortSideScale=lambda size: partial(functional.short_side_scale, size=size),
        UniformTemporalSubsample=lambda num_samples: partial(
            functional.uniform_temporal_subsample, num_samples=num_samples
        ),
    )
    module("pytorchvideo", transforms=transforms)
    module("pytorchvideo.data")
    sampling = "pytorchvideo/data/clip_sampling.py"
    file("pytorchvideo.data.clip_sampling", "pytorchvideo", sampling)
    module("pytorchvideo.data.encoded_video", EncodedVideo=SimpleNamespace(from_path=video))


class _Video:
    """Frames in memory, cut as pytorchvideo has its reader cut a file."""

    def __init__(self, frames: ByteArray, fps: float) -> None:
        self._frames = torch.from_numpy(frames).float().permute(3, 0, 1, 2)
        self._fps = fps
        self.duration = len(frames) / fps

    def get_clip(self, start: Any, end: Any) -> dict[str, torch.Tensor]:
        last = min(math.ceil(self._fps * end), self._frames.shape[1])
        return {"video": self._frames[:, math.ceil(self._fps * start) : last]}


def _load_sound(path: Path) -> tuple[torch.Tensor, int]:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T.copy()), rate
