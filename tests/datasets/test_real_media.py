"""Real photos, sounds and clips of the datasets: they decode, and to what they are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from datasets.base import Item, Modality
from datasets.media.sampling import FrameSampling, WindowSampling
from datasets.media.sounds import decode_windows, load_sound
from datasets.media.videos import decode_clips, load_clip
from datasets.verify import verify

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def real() -> Path:
    folder = os.environ.get("RETRIEVAL_TEST_DATA")
    if not folder:
        pytest.skip("RETRIEVAL_TEST_DATA names no folder of real data")
    return Path(folder)


def items(folder: Path, pattern: str, modality: Modality) -> list[Item]:
    return [Item(path.stem, modality, path) for path in sorted(folder.glob(pattern))]


def test_photos_of_coco(real: Path, tmp_path: Path) -> None:
    photos = items(real / "image_coco_mini/images", "*.jpg", "image")
    found = verify(photos, cache=tmp_path)
    assert (len(photos), found.gaps) == (239, ())
    assert len(found.signatures) == 237


def test_sounds_of_clotho(real: Path, tmp_path: Path) -> None:
    sounds = items(real / "audio_clotho_real/audio", "*.wav", "audio")
    found = verify(sounds, cache=tmp_path)
    assert (len(sounds), found.gaps, len(found.signatures)) == (8, (), 8)
    known = {item.id: load_sound(item) for item in sounds}
    assert {sound.rate for sound in known.values()} == {44_100}
    assert known["Tenerife_bazaar_2"].samples.shape == (1, 690_510)
    assert known["02-Bakken_Rollercoaster"].samples.shape == (1, 1_062_528)
    for windows in decode_windows(sounds, WindowSampling(16_000, 2.0, 3, "spread")):
        assert windows.shape == (3, 32_000)
        assert np.abs(windows).max() > 0.001


def test_clips_of_msvd(real: Path, tmp_path: Path) -> None:
    clips = items(real / "video_msvd_real", "*.avi", "video")
    found = verify(clips, cache=tmp_path)
    assert (len(clips), found.gaps, len(found.signatures)) == (11, (), 11)
    for clip in decode_clips(clips, FrameSampling(4), (32, 48)):
        assert clip.frames.shape == (4, 32, 48, 3)
        assert np.all(np.diff(clip.seconds) > 0)


@pytest.mark.parametrize(
    ("name", "size", "last"),
    [
        ("UXs3eq68ZjE_250_255", (720, 1280), 149 * 125 / 3746),
        ("778mkceE0UQ_40_46", (480, 640), 359 * 12 / 719),
        ("j2Dhf-xFUxU_13_20", (240, 320), 105 / 15),
    ],
)
def test_the_last_frame_of_a_clip(
    real: Path, name: str, size: tuple[int, int], last: float
) -> None:
    item = Item(name, "video", real / f"video_msvd_real/{name}.avi")
    clip = load_clip(item, FrameSampling(2, "ends"))
    assert clip.frames.shape == (2, *size, 3)
    np.testing.assert_allclose(clip.seconds, [0, last], atol=1e-3)
