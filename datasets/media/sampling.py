"""Which moments of a video and which windows of a sound are looked at: plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from datasets.base import IntArray, SecondsArray


class Moments(Protocol):
    """Chooses moments of a video, ``count`` at most, by how long it lasts."""

    @property
    def count(self) -> int: ...

    def times(self, duration_seconds: float) -> SecondsArray:
        """Seconds from the beginning, float64 [1 to count], 0 to the duration."""
        ...


@dataclass(frozen=True)
class FrameSampling:
    """``count`` moments of a video, the same ones each time.

    spread  "middles": the middle of each of ``count`` equal parts; "ends": evenly from the
            first frame to the last, the first alone where ``count`` is 1
    """

    count: int
    spread: Literal["middles", "ends"] = "middles"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"a video is sampled at one moment at least, not {self.count}")
        if self.spread not in ("middles", "ends"):
            raise ValueError(f"frames are spread as middles or ends, not {self.spread!r}")

    def times(self, duration_seconds: float) -> SecondsArray:
        """Seconds from the beginning, float64 [count], ascending, 0 to the duration."""
        if self.spread == "ends":
            return np.linspace(0.0, duration_seconds, self.count).astype(np.float64)
        return (np.arange(self.count, dtype=np.float64) + 0.5) * (duration_seconds / self.count)


@dataclass(frozen=True)
class FrameNumbers:
    """``count`` frames of a video by their numbers; when a frame is shown does not matter.

    So published code asks its decoder for frames.

    spread  "ends": evenly from the first to the last, a number between two frames rounded down;
            "middles": near the middle of each of ``count`` equal parts, as mmaction2 has it;
            "centres": the middle one of each of ``count`` equal parts, as VindLU has it, or of
            fewer frames all, and the last again
    """

    count: int
    spread: Literal["ends", "middles", "centres"] = "ends"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"a video is sampled at one frame at least, not {self.count}")
        if self.spread not in ("ends", "middles", "centres"):
            raise ValueError(f"frames are spread as ends, middles or centres, not {self.spread!r}")

    def rows(self, frames: int) -> IntArray:
        """Numbers of frames, int64 [count], ascending, 0 to ``frames`` - 1."""
        if self.spread == "middles":
            part = (frames - 1) / self.count
            return np.round(part * np.arange(self.count)).astype(np.int64) + int(part / 2)
        if self.spread == "centres":
            parts = np.linspace(0, frames, min(self.count, frames) + 1).astype(np.int64)
            rows = (parts[:-1] + parts[1:] - 1) // 2
            return np.pad(rows, (0, self.count - len(rows)), mode="edge")
        return np.linspace(0, frames - 1, self.count, dtype=np.int64)


@dataclass(frozen=True)
class FrameRate:
    """``rate`` moments a second from the beginning on, but ``count`` of them at most.

    Of more, ``count`` are taken evenly from the first to the last, a number between two moments
    rounded down. A short video has fewer, and one at least.
    """

    rate: float
    count: int

    def __post_init__(self) -> None:
        if self.count < 1 or not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"{self.rate} moments a second, at most {self.count}, give no frame")

    def times(self, duration_seconds: float) -> SecondsArray:
        """Seconds from the beginning, float64 [1 to count], ascending, below the duration."""
        # What rounding adds to a duration is not another moment.
        moments = max(1, math.ceil(duration_seconds * self.rate - 1e-6))
        if moments <= self.count:
            return np.arange(moments) / self.rate
        return np.linspace(0, moments - 1, self.count).astype(np.int64) / self.rate


VideoSampling = Moments | FrameNumbers


@dataclass(frozen=True)
class WindowSampling:
    """``count`` windows of ``seconds`` each of a mono sound at ``rate`` samples a second.

    place  "start": one behind the other from the beginning; "middle": one behind the other
           around the middle; "spread": from the beginning to the end at even distances, a
           single one in the middle
    pad    what follows a sound that is shorter than a window: "silence", the sound again and
           again ("repeat"), or "nothing": its windows are as short as it is
    mono   the "mean" of the channels, or the "first" one alone

    Windows never reach beyond a sound that is longer than one: they overlap where ``count`` of
    them do not fit. What lies between or behind them in a longer sound is not heard.
    """

    rate: int
    seconds: float
    count: int = 1
    place: Literal["start", "middle", "spread"] = "start"
    pad: Literal["silence", "repeat", "nothing"] = "silence"
    mono: Literal["mean", "first"] = "mean"

    def __post_init__(self) -> None:
        if self.rate < 1 or self.count < 1:
            raise ValueError(f"rate {self.rate} and count {self.count} must be at least 1")
        if not (math.isfinite(self.seconds) and self.samples >= 1):
            raise ValueError(f"a window of {self.seconds} s at {self.rate} Hz holds no sample")
        if self.place not in ("start", "middle", "spread"):
            raise ValueError(f"windows lie at the start, middle or spread, not {self.place!r}")
        if self.pad not in ("silence", "repeat", "nothing"):
            raise ValueError(
                f"a window is padded with silence, repeat or nothing, not {self.pad!r}"
            )
        if self.mono not in ("mean", "first"):
            raise ValueError(f"mono is the mean or the first channel, not {self.mono!r}")

    @property
    def samples(self) -> int:
        """The samples of one window."""
        return round(self.seconds * self.rate)

    def starts(self, duration_seconds: float) -> SecondsArray:
        """Where the windows begin, seconds, float64 [count], ascending, none below 0."""
        last = max(0.0, duration_seconds - self.seconds)
        if self.place == "spread":
            return np.linspace(0.0, last, self.count) if self.count > 1 else np.array([last / 2])
        row = np.arange(self.count, dtype=np.float64) * self.seconds
        if self.place == "middle":
            row += max(0.0, (duration_seconds - self.count * self.seconds) / 2)
        return np.minimum(row, last)
