"""CLIP4Clip against its authors' code and against that of mmaction2, with the same weights."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from datasets.base import ByteArray
from retrievers.encoders.clip4clip import CLIP4CLIP, opened, small_form, told
from retrievers.weights.states import State
from tests.parity import clip_videos, mmaction2_upstream
from tests.parity.borrowed import borrowed, module
from tests.parity.clip_videos import HEADS, SIDE, TEXTS, VOCABULARY, WIDTH, as_items, saved, videos
from tests.parity.goldens import (
    FloatArray,
    Golden,
    assert_close,
    conclude,
    kept,
    largest_difference,
    read,
    upstream_source,
)
from tests.parity.seeded import seeded_state, shapes_of

FORM = small_form(clip_videos.small_clip)
SMALL = replace(CLIP4CLIP, open=partial(opened, FORM), told=partial(told, FORM))
# 17 seconds, 5 and less than one, at 3 frames a second, as its authors tell users to make them.
SHOWN = videos((50, 14, 2), 75, 98)
HEADERS = ("seqTransf", "meanP")


def ours(weights: Path, folder: Path) -> Mapping[str, FloatArray]:
    retriever = clip_videos.opened(SMALL, weights, folder / "cache")
    return clip_videos.outputs(retriever, as_items(SHOWN, 3), folder / "saved")


def of_mmaction(state: State, folder: Path) -> Path:
    path = folder / "clip4clip.pth"
    torch.save({"meta": {"epoch": 5}, "state_dict": state}, path)
    return path


@pytest.mark.parametrize("header", HEADERS)
def test_numbers_of_the_authors(header: str, tmp_path: Path) -> None:
    golden = read(f"clip4clip-{header}")
    weights = saved(seeded_state(golden.shapes), tmp_path / "pytorch_model.bin.4")
    assert_close(ours(weights, tmp_path), golden)


def test_numbers_of_mmaction2(tmp_path: Path) -> None:
    golden = read("clip4clip-mmaction2")
    assert_close(ours(of_mmaction(seeded_state(golden.shapes), tmp_path), tmp_path), golden)


@pytest.mark.parity
@pytest.mark.parametrize("header", HEADERS)
def test_as_its_authors(header: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes, theirs = authors(header, monkeypatch)
    weights = saved(seeded_state(shapes), tmp_path / "pytorch_model.bin.4")
    conclude(
        Golden(
            system=f"clip4clip-{header}",
            upstream="ArrowLuo/CLIP4Clip",
            version="508ffa3",
            compared=f"{header}: vectors and scores of 3 videos (two of them short) and 4 texts "
            "from frames and words on: sampling, preparation, masks",
            difference=largest_difference(ours(weights, tmp_path), theirs),
            shapes=shapes,
            numbers=kept(theirs),
        )
    )


@pytest.mark.parity
def test_as_mmaction2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes, _ = authors("meanP", monkeypatch)
    state = seeded_state(shapes)
    of_videos, of_texts = mmaction2_upstream.vectors(state, SHOWN, TEXTS, SIDE, SIDE + SIDE // 7)
    theirs = {"videos": of_videos, "scores": of_texts @ of_videos.T}
    conclude(
        Golden(
            system="clip4clip-mmaction2",
            upstream="open-mmlab/mmaction2",
            version="4d6c934",
            compared="vectors and scores of 3 videos and 4 texts from frames and words on: "
            "sampling, OpenCV's resizing, mean",
            difference=largest_difference(ours(of_mmaction(state, tmp_path), tmp_path), theirs),
            shapes=shapes,
            numbers=kept(theirs),
        )
    )


def authors(
    header: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Mapping[str, Sequence[int]], Mapping[str, FloatArray]]:
    """The layout of its weights, and what its test gives with seeded ones."""
    monkeypatch.setattr(np, "float", float, raising=False)
    with borrowed([upstream_source("CLIP4Clip")], _absent()):
        from dataloaders.dataloader_msrvtt_retrieval import MSRVTT_DataLoader
        from modules.modeling import CLIP4Clip
        from modules.module_clip import CLIP
        from modules.module_cross import CrossConfig
        from modules.tokenization_clip import SimpleTokenizer

        task = Namespace(
            max_words=32,
            max_frames=12,
            loose_type=True,
            sim_header=header,
            cross_num_hidden_layers=2,
            linear_patch="2d",
            local_rank=0,
        )
        clip = CLIP(WIDTH, SIDE, 2, WIDTH, 16, 77, VOCABULARY, WIDTH, HEADS, 2)
        cross = CrossConfig(512, hidden_size=WIDTH, max_position_embeddings=77)
        model: Any = CLIP4Clip(cross, clip.state_dict(), task).float().eval()
        shapes = shapes_of(model.state_dict())
        model.load_state_dict(seeded_state(shapes))
        data = MSRVTT_DataLoader("", "", SimpleTokenizer(), 32, 1, 12, SIDE, slice_framepos=2)
        return shapes, _tested(model, data)


@torch.inference_mode()
def _tested(model: Any, data: Any) -> Mapping[str, FloatArray]:
    frames, seen = (np.stack(part) for part in zip(*_read(data), strict=True))
    words, in_words, segments, _ = zip(*(data._get_text("", text) for text in TEXTS), strict=True)
    tokens, in_texts = torch.from_numpy(np.stack(words)), torch.from_numpy(np.stack(in_words))
    in_videos = torch.from_numpy(seen)
    of_texts, of_frames = model.get_sequence_visual_output(
        tokens, torch.from_numpy(np.stack(segments)), in_texts, torch.from_numpy(frames), in_videos
    )
    scaled, _ = model.get_similarity_logits(
        of_texts, of_frames, in_texts, in_videos, loose_type=True
    )
    # A text that points along each axis asks for that number of the videos' vectors.
    axes = torch.eye(WIDTH)[:, None, :]
    numbers, _ = model.get_similarity_logits(
        axes, of_frames, torch.ones(WIDTH, 1), in_videos, loose_type=True
    )
    scale = model.clip.logit_scale.exp()
    return {"videos": (numbers.T / scale).numpy(), "scores": (scaled / scale).numpy()}


def _read(data: Any) -> list[tuple[Any, Any]]:
    return [data._get_rawvideo([str(row)]) for row in range(len(SHOWN))]


def _absent() -> Mapping[str, ModuleType]:
    """What upstream imports that is not here; its reader of videos reads ours."""
    cv2 = module(
        "cv2",
        CAP_PROP_FRAME_COUNT=0,
        CAP_PROP_FPS=1,
        CAP_PROP_POS_FRAMES=2,
        COLOR_BGR2RGB=3,
        VideoCapture=_Capture,
        cvtColor=lambda frame, code: np.ascontiguousarray(frame[..., ::-1]),
    )
    exceptions = module("botocore.exceptions", ClientError=Exception)
    return {
        "cv2": cv2,
        "pandas": module("pandas", read_csv=lambda path: None),
        "boto3": module("boto3"),
        "botocore": module("botocore", exceptions=exceptions),
        "botocore.exceptions": exceptions,
        "requests": module("requests"),
    }


class _Capture:
    """As OpenCV gives the frames of a file, blue first; the file is named by its row."""

    def __init__(self, path: str) -> None:
        self._frames: ByteArray = SHOWN[int(Path(path).stem)]
        self._next = 0

    def get(self, what: int) -> float:
        return (len(self._frames), 3.0)[what]

    def set(self, what: int, place: float) -> None:
        self._next = int(place)

    def read(self) -> tuple[bool, Any]:
        if self._next >= len(self._frames):
            return False, None
        return True, self._frames[self._next][..., ::-1]

    def release(self) -> None:
        self._next = 0
