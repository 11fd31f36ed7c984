"""A tower of pictures sees a video as the mean of its frames, whatever their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from datasets.base import Clip, Item
from datasets.media.files import MediaError
from datasets.media.sampling import FrameSampling
from retrievers.base import FloatArray
from retrievers.encoders.frame_means import FrameMeans
from tests.datasets.tiny_files import video_item, write_video


@dataclass
class MeanColour:
    """A picture's mean red, green and blue."""

    fingerprint: str = "colour"
    seen: list[str] = field(default_factory=list)

    def encode(self, items: Sequence[Item]) -> FloatArray:
        self.seen += [item.modality for item in items]
        return np.array([np.asarray(item.media).mean((0, 1)) for item in items], np.float32)


def _clip(*colours: tuple[int, int, int]) -> Clip:
    frames = np.zeros((len(colours), 6, 8, 3), np.uint8)
    frames[:] = np.array(colours, np.uint8)[:, None, None]
    return Clip(frames, np.arange(len(colours)) / 2)


RED, GREEN, GREY = (200, 0, 0), (0, 90, 0), (60, 60, 60)


def test_a_video_is_the_mean_of_the_unit_vectors_of_its_frames() -> None:
    tower = FrameMeans(MeanColour(), FrameSampling(3))
    (found,) = tower.encode([Item("x", "video", _clip(RED, GREEN, GREY))])
    third = 1 / np.sqrt(3)
    np.testing.assert_allclose(found, np.array([1 + third, 1 + third, third]) / 3, rtol=1e-6)


def test_each_video_has_its_own_row_and_the_order_of_frames_is_lost() -> None:
    tower = FrameMeans(MeanColour(), FrameSampling(2))
    clips = (_clip(RED, GREEN), _clip(GREEN, RED), _clip(GREY, GREY))
    found = tower.encode([Item(str(row), "video", clip) for row, clip in enumerate(clips)])
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[2], np.full(3, 1 / np.sqrt(3)), rtol=1e-6)


def test_a_file_is_sampled_as_told(tmp_path: Path) -> None:
    inner = MeanColour()
    path = write_video(tmp_path / "one.mp4", [40] * 12)
    found = FrameMeans(inner, FrameSampling(5)).encode([video_item(path)])
    assert inner.seen == ["image"] * 5
    np.testing.assert_allclose(found, 1 / np.sqrt(3), atol=0.05)


def test_pictures_keep_the_vectors_of_the_tower() -> None:
    inner = MeanColour()
    picture = Item("x", "image", np.full((4, 4, 3), 7, np.uint8))
    np.testing.assert_array_equal(
        FrameMeans(inner, FrameSampling(2)).encode([picture]), inner.encode([picture])
    )


def test_a_picture_among_videos_is_refused() -> None:
    items = [
        Item("clip", "video", _clip(RED, GREEN)),
        Item("picture", "image", np.zeros((4, 4, 3), np.uint8)),
    ]
    with pytest.raises(MediaError, match="picture"):
        FrameMeans(MeanColour(), FrameSampling(2)).encode(items)


def test_other_frames_are_another_tower() -> None:
    prints = {FrameMeans(MeanColour(), FrameSampling(count)).fingerprint for count in (2, 3)}
    assert len(prints) == 2
