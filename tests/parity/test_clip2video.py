"""CLIP2Video against its public code, with the same weights."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from retrievers.encoders.clip2video import CLIP2VIDEO, Form, opened
from retrievers.encoders.clip2video_network import Blocks
from tests.parity import clip_videos
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

BLOCKS = Blocks(layers=2, centres=5)
FORM = Form(clip_videos.small_clip, BLOCKS)
SMALL = replace(CLIP2VIDEO, open=partial(opened, FORM))
# Eight seconds and less than two, as many and as few pictures as make padding odd and even.
SHOWN = videos((41, 7, 4, 12), 75, 98)


def ours(weights: Path, folder: Path) -> Mapping[str, FloatArray]:
    retriever = clip_videos.opened(SMALL, weights, folder / "cache")
    found = clip_videos.outputs(retriever, as_items(SHOWN, 5), folder / "saved")
    return {"scores": found["scores"]}


def test_numbers_of_upstream(tmp_path: Path) -> None:
    golden = read("clip2video")
    weights = saved(seeded_state(golden.shapes), tmp_path / "pytorch_model.bin.2")
    assert_close(ours(weights, tmp_path), golden)


@pytest.mark.parity
def test_as_upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes, theirs = upstream(tmp_path, monkeypatch)
    weights = saved(seeded_state(shapes), tmp_path / "pytorch_model.bin.2")
    conclude(
        Golden(
            system="clip2video",
            upstream="CryhanFang/CLIP2Video",
            version="e941318",
            compared="scores of 4 videos (two of them short) and 4 texts from pictures of 5 a "
            "second and words on: sampling, preparation, masks",
            difference=largest_difference(ours(weights, tmp_path), theirs),
            shapes=shapes,
            numbers=kept(theirs),
        )
    )


def upstream(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Mapping[str, Sequence[int]], Mapping[str, FloatArray]]:
    """The layout of its weights, and what its test gives with seeded ones."""
    monkeypatch.setattr(np, "float", float, raising=False)
    # It puts a table of positions on a GPU.
    monkeypatch.setattr(torch.Tensor, "cuda", lambda tensor: tensor)
    absent = {"pandas": module("pandas", read_csv=lambda path: None)}
    with borrowed([upstream_source("CLIP2Video")], absent):
        from dataloaders.dataloader_msrvtt_frame import MSRVTT_single_sentence_dataLoader
        from modules.modeling import CLIP2Video
        from modules.module_clip import CLIP
        from modules.module_cross import CrossConfig
        from modules.tokenization_clip import SimpleTokenizer

        task = Namespace(
            sim_type="seqTransf",
            temporal_type="TDB",
            temporal_proj="sigmoid_selfA",
            center_type="TAB",
            center_proj="TAB_TDB",
            centerK=BLOCKS.centres,
            center_weight=0.5,
            cross_num_hidden_layers=BLOCKS.layers,
            vocab_size=VOCABULARY,
            local_rank=0,
        )
        clip = CLIP(WIDTH, SIDE, 2, WIDTH, 16, 77, VOCABULARY, WIDTH, HEADS, 2)
        cross = CrossConfig(512, hidden_size=WIDTH, max_position_embeddings=77)
        model: Any = CLIP2Video(cross, clip.state_dict(), task)
        # These have 512 channels whatever CLIP has.
        model.trans_layernorm = torch.nn.LayerNorm(WIDTH)
        model.weight_center = torch.nn.Parameter(torch.zeros(BLOCKS.centres, WIDTH))
        model.emb_center = torch.nn.Parameter(torch.zeros(BLOCKS.centres, WIDTH))
        model = model.float().eval()
        shapes = shapes_of(model.state_dict())
        model.load_state_dict(seeded_state(shapes))
        data = MSRVTT_single_sentence_dataLoader(
            "", str(folder), SimpleTokenizer(), 32, 1, 12, SIDE
        )
        return shapes, {"scores": _tested(model, data, folder)}


@torch.inference_mode()
def _tested(model: Any, data: Any, folder: Path) -> FloatArray:
    words, in_words, segments = zip(*(data._get_text(text) for text in TEXTS), strict=True)
    tokens, in_texts = torch.from_numpy(np.stack(words)), torch.from_numpy(np.stack(in_words))
    of_texts = model.get_sequence_output(tokens, torch.from_numpy(np.stack(segments)), in_texts)
    columns = []
    # One by one: in a batch its attention heads take the padding of other videos for their own.
    for row, frames in enumerate(SHOWN):
        pictures = folder / f"video{row}"
        pictures.mkdir()
        for place, frame in enumerate(frames):
            Image.fromarray(frame).save(pictures / f"{place:08}.png")
        video, seen = map(torch.from_numpy, data._get_rawvideo(pictures.name))
        of_frames = model.get_visual_output(video[None], seen[None])
        scaled, _ = model.get_inference_logits(of_texts, of_frames, in_texts, seen)
        columns.append(scaled / model.clip.logit_scale.exp())
    scores: FloatArray = torch.cat(columns, dim=1).numpy()
    return scores
