"""Hand-made media and annotation files for the dataset tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from PIL import Image

from datasets.base import Item, SampleArray


def pixels(seed: int, height: int = 12, width: int = 16) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Noise, different for each seed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(seed)).save(path)
    return path


def image_item(path: Path) -> Item:
    return Item(path.stem, "image", path)


def karpathy_image(name: str, split: str, captions: Sequence[str], **more: Any) -> dict[str, Any]:
    return {
        "filename": name,
        "split": split,
        "sentences": [{"raw": text} for text in captions],
        **more,
    }


def write_karpathy(path: Path, images: Iterable[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": list(images), "dataset": "x"}), encoding="utf-8")
    return path


def write_coco(path: Path, captions: dict[int, Sequence[str]]) -> Path:
    """A caption file with an image ``<id>.jpg`` for each id."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = [(image, text) for image, texts in captions.items() for text in texts]
    table = {
        "images": [{"id": image, "file_name": f"{image}.jpg"} for image in captions],
        "annotations": [
            {"id": 1000 * image + number, "image_id": image, "caption": text}
            for number, (image, text) in enumerate(pairs)
        ],
    }
    path.write_text(json.dumps(table), encoding="utf-8")
    return path


def tone(
    seconds: float, rate: int = 16_000, hertz: float = 440.0, channels: int = 1
) -> SampleArray:
    """A sine of half amplitude, float32 [channels, samples], the same in every channel."""
    time = np.arange(round(seconds * rate)) / rate
    wave = 0.5 * np.sin(2 * np.pi * hertz * time)
    return np.tile(wave.astype(np.float32), (channels, 1))


def write_sound(
    path: Path, samples: SampleArray, rate: int = 16_000, form: str = "WAV", subtype: str = "FLOAT"
) -> Path:
    """Write samples [channels, samples] with libsndfile, exactly as long as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.T, rate, subtype or None, format=form)
    return path


def write_aac(path: Path, samples: SampleArray, rate: int, form: str) -> Path:
    """Write samples [1 or 2 channels, samples] as AAC: ``form`` "mp4" or "adts"."""
    layout = "mono" if len(samples) == 1 else "stereo"
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream("aac", rate=rate)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.rate, frame.pts = rate, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_video(
    path: Path,
    greys: Sequence[int],
    times: Sequence[int] | None = None,
    *,
    per_second: int = 10,
    size: tuple[int, int] = (48, 64),
    form: str | None = None,
    codec: str = "mpeg4",
    key_every: int = 12,
) -> Path:
    """A video of one plain grey a frame, so that a frame is known by its grey.

    times  when each frame is shown, in parts of a second of which there are ``per_second``; one
           behind the other by default
    size   (height, width)
    """
    height, width = size
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=per_second, options={"g": str(key_every)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, per_second)
        for grey, time in zip(greys, times or range(len(greys)), strict=True):
            pixels_ = np.full((height, width, 3), grey, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels_, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, per_second)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def audio_item(path: Path) -> Item:
    return Item(path.stem, "audio", path)


def video_item(path: Path) -> Item:
    return Item(path.stem, "video", path)
