"""ImageBind against its authors' code, from files of media to scores."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from datasets.base import ByteArray, Clip, Item
from retrievers.base import Settings
from retrievers.conformance_data import STRANGE
from retrievers.encoders.imagebind import adapter
from retrievers.encoders.imagebind_network import HUGE, Config, ImageBind, Trunk
from retrievers.encoders.openclip_tokens import clip_tokens
from tests.parity import goldens
from tests.parity.goldens import FloatArray, Golden
from tests.parity.imagebind_upstream import upstream
from tests.parity.seeded import seeded_state, shapes_of
from tests.rankings import scores_by_row

_VERSION = "53680b0"
# Small, but for what the authors' code does not let be chosen: pictures of 224, 128 bands.
SMALL = Config(
    dim=24,
    vision=Trunk(width=32, layers=3, heads=2),
    audio=Trunk(width=24, layers=3, heads=3),
    text=Trunk(width=16, layers=3, heads=2),
)
_TEXTS = [
    "A lion climbing a tree to catch a monkey.",
    "two   dogs\n& a CAT's toy, 25 cm &amp; more",
    "żółta łódź 🚤 on озере",
    "x",
    "",
    "a very long tale of a small red fox " * 12,
]
# Length in frames (25 a second), height, width.
_CLIPS = {"wide.mp4": (89, 60, 83), "tall.mp4": (31, 61, 48), "square.mp4": (57, 40, 40)}
# Channels and samples (16,000 a second).
_SOUNDS = {"long.wav": (2, 104_000), "short.wav": (1, 17_600), "exact.wav": (1, 32_000)}
_PICTURES = {"small.png": (37, 53), "large.png": (460, 300)}
_FPS = 25.0


def test_equals_what_the_authors_code_gave(tmp_path: Path) -> None:
    golden = goldens.read("imagebind")
    torch.save(seeded_state(golden.shapes), tmp_path / "imagebind_huge.pth")
    goldens.assert_close(_ours(tmp_path), golden)


@pytest.mark.parity
def test_equals_the_authors_code(tmp_path: Path) -> None:
    data, models = upstream(_frames, _FPS)
    network = models.ImageBindModel(**_THEIR_SIZES).eval()
    own = network.state_dict()
    shapes = shapes_of(own)
    mask = "modality_preprocessors.text.mask"
    state = {**seeded_state(shapes), mask: own[mask]}
    network.load_state_dict(state)
    torch.save(state, tmp_path / "imagebind_huge.pth")
    theirs = _theirs(network, data, state, _media(tmp_path))
    goldens.conclude(
        Golden(
            system="imagebind",
            upstream="facebookresearch/ImageBind",
            version=_VERSION,
            compared="vectors of 2 pictures, 3 clips, 3 sounds (one short, one stereo) and 6 "
            "texts, their preparation, scores",
            difference=goldens.largest_difference(_ours(tmp_path), theirs),
            shapes=shapes,
            numbers=goldens.kept(theirs),
        )
    )


@pytest.mark.parity
def test_full_size_has_the_authors_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    _, models = upstream(_frames, _FPS)
    # Its building looks at numbers of this alone.
    monkeypatch.setattr(torch, "linspace", partial(torch.linspace, device="cpu"))
    with torch.device("meta"):
        theirs = models.imagebind_huge().state_dict()
        ours = ImageBind(HUGE).state_dict()
    senses = ("vision", "audio", "text")
    parts = ("preprocessors", "trunks", "heads")
    wanted = [f"modality_{part}.{sense}." for part in parts for sense in senses]
    needed = sum(
        tensor.numel()
        for name, tensor in theirs.items()
        if name.startswith(tuple(wanted)) and not name.endswith(".mask")
    )
    assert needed == sum(tensor.numel() for tensor in ours.values())


@pytest.mark.parity
def test_texts_are_parted_as_by_the_authors() -> None:
    data, _ = upstream(_frames, _FPS)
    texts = [*_TEXTS, *STRANGE, "don't STOP, it's 1999!", "<b>&lt;3</b> naïve ﬁne ½"]
    ours = torch.stack(list(clip_tokens()(texts)))
    assert torch.equal(ours, data.load_and_transform_text(texts, "cpu"))


_THEIR_SIZES = {
    "out_embed_dim": SMALL.dim,
    "vision_embed_dim": SMALL.vision.width,
    "vision_num_blocks": SMALL.vision.layers,
    "vision_num_heads": SMALL.vision.heads,
    "audio_embed_dim": SMALL.audio.width,
    "audio_num_blocks": SMALL.audio.layers,
    "audio_num_heads": SMALL.audio.heads,
    "text_embed_dim": SMALL.text.width,
    "text_num_blocks": SMALL.text.layers,
    "text_num_heads": SMALL.text.heads,
    "depth_embed_dim": 8,
    "depth_num_blocks": 1,
    "depth_num_heads": 2,
    "thermal_embed_dim": 8,
    "thermal_num_blocks": 1,
    "thermal_num_heads": 2,
    "imu_embed_dim": 8,
    "imu_num_blocks": 1,
    "imu_num_heads": 2,
}


def _ours(folder: Path) -> dict[str, FloatArray]:
    """Through the adapter, from the file of weights as it is released."""
    weights = str(folder / "imagebind_huge.pth")
    retriever: Any = adapter(SMALL).build(Settings(0, "cpu", folder, {"model": weights}))
    encoder = retriever._encoder
    outputs = {"texts": encoder.encode_texts(_TEXTS)[:, :-1]}
    for modality, items in _media(folder).items():
        outputs[modality] = encoder.encode_items(items)[:, :-1]
        retriever.index(items)
        outputs[f"{modality} scores"] = scores_by_row(retriever.search(_TEXTS, len(items)))
    return outputs


def _theirs(
    network: Any, data: ModuleType, state: dict[str, torch.Tensor], media: dict[str, list[Item]]
) -> dict[str, FloatArray]:
    load = {
        "image": data.load_and_transform_vision_data,
        "audio": data.load_and_transform_audio_data,
        "video": data.load_and_transform_video_data,
    }

    def scale(kind: str) -> float:
        return state[f"modality_postprocessors.{kind}.1.log_logit_scale"].exp().item()

    with torch.inference_mode():
        texts = network({"text": data.load_and_transform_text(_TEXTS, "cpu")})["text"]
        outputs = {"texts": texts.numpy() / scale("text")}
        for modality, items in media.items():
            kind = "audio" if modality == "audio" else "vision"
            paths = [item.media if modality != "video" else item.id for item in items]
            vectors = network({kind: load[modality](paths, "cpu")})[kind].numpy()
            constant = scale("audio") if kind == "audio" else 1.0
            outputs[modality] = vectors / constant
            outputs[f"{modality} scores"] = texts.numpy() @ vectors.T / scale("text") / constant
    return outputs


def _media(folder: Path) -> dict[str, list[Item]]:
    """Pictures and sounds in files; the frames of clips, which a coder would change."""
    found: dict[str, list[Item]] = {"image": [], "audio": [], "video": []}
    for name, (height, width) in _PICTURES.items():
        pixels = _noise(name, (height, width, 3))
        Image.fromarray(pixels).save(folder / name)
        found["image"].append(Item(name, "image", folder / name))
    for name, (channels, length) in _SOUNDS.items():
        samples = (_noise(name, (length, channels)) / 255 - 0.5).astype(np.float32)
        soundfile.write(folder / name, samples, 16_000, subtype="FLOAT")
        found["audio"].append(Item(name, "audio", folder / name))
    for name in _CLIPS:
        clip = Clip(_frames(name), np.arange(_CLIPS[name][0]) / _FPS)
        found["video"].append(Item(name, "video", clip))
    return found


def _frames(name: str) -> ByteArray:
    return _noise(name, (*_CLIPS[name], 3))


def _noise(name: str, shape: tuple[int, ...]) -> ByteArray:
    """uint8: noise that is strong in some places and weak in others."""
    rng = np.random.default_rng(list(name.encode()))
    slope = np.linspace(0.1, 1, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return (rng.random(shape) * slope * 255).astype(np.uint8)
