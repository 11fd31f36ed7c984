"""Videos for a tower of pictures: the mean of what it makes of a few frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datasets.base import Clip, Item
from datasets.media.sampling import FrameSampling
from datasets.media.videos import decode_clips
from retrievers.base import FloatArray
from retrievers.embedding_cache import Tower


class FrameMeans:
    """Gives a picture the tower's own vector, and a video the mean of its frames' unit vectors.

    It is the parameter-free way of CLIP4Clip (Luo et al. 2021): the order of the frames is lost.
    """

    def __init__(self, tower: Tower[Item], sampling: FrameSampling) -> None:
        self._tower = tower
        self._sampling = sampling

    @property
    def fingerprint(self) -> str:
        return f"{self._tower.fingerprint}-{self._sampling.count}-{self._sampling.spread}"

    def encode(self, items: Sequence[Item]) -> FloatArray:
        """[items, width]; in memory are the frames of a few videos. Raises MediaError.

        All items are pictures or all are videos.
        """
        if not any(item.modality == "video" for item in items):
            return self._tower.encode(items)
        return np.stack([self._mean(clip) for clip in decode_clips(items, self._sampling)])

    def _mean(self, clip: Clip) -> FloatArray:
        frames = [Item(f"frame {row}", "image", frame) for row, frame in enumerate(clip.frames)]
        vectors = self._tower.encode(frames)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        mean: FloatArray = (vectors / np.maximum(lengths, 1e-12)).mean(axis=0)
        return mean
