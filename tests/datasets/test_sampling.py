"""Where frames and windows are taken: by hand, and for any duration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.media.sampling import FrameNumbers, FrameRate, FrameSampling, WindowSampling

DURATIONS = st.floats(0, 1e6)
SPREADS = st.sampled_from(["middles", "ends"])
PLACES = st.sampled_from(["start", "middle", "spread"])


def test_frames_by_hand() -> None:
    assert FrameSampling(4).times(8.0).tolist() == [1, 3, 5, 7]
    assert FrameSampling(3, "ends").times(8.0).tolist() == [0, 4, 8]
    assert FrameSampling(1).times(8.0).tolist() == [4]
    assert FrameSampling(1, "ends").times(8.0).tolist() == [0]


def test_numbers_of_frames_by_hand() -> None:
    assert FrameNumbers(3).rows(6).tolist() == [0, 2, 5]
    assert FrameNumbers(4).rows(2).tolist() == [0, 0, 0, 1]
    assert FrameNumbers(1).rows(9).tolist() == [0]
    assert FrameNumbers(4, "middles").rows(41).tolist() == [5, 15, 25, 35]
    assert FrameNumbers(4, "middles").rows(1).tolist() == [0, 0, 0, 0]
    assert FrameNumbers(4, "centres").rows(40).tolist() == [4, 14, 24, 34]
    assert FrameNumbers(4, "centres").rows(10).tolist() == [0, 3, 5, 8]
    assert FrameNumbers(4, "centres").rows(2).tolist() == [0, 1, 1, 1]


def test_moments_at_a_steady_rate_by_hand() -> None:
    assert FrameRate(1, 12).times(2.5).tolist() == [0, 1, 2]
    assert FrameRate(1, 12).times(3.0).tolist() == [0, 1, 2]
    assert FrameRate(5, 12).times(0.5).tolist() == [0, 0.2, 0.4]
    assert FrameRate(1, 4).times(8.0).tolist() == [0, 2, 4, 7]
    assert FrameRate(1, 4).times(0.0).tolist() == [0]


@given(duration=DURATIONS, rate=st.floats(0.1, 60), count=st.integers(1, 64))
def test_moments_at_a_steady_rate_lie_within(duration: float, rate: float, count: int) -> None:
    times = FrameRate(rate, count).times(duration)
    assert times.dtype == np.float64 and 1 <= len(times) <= count
    assert times[0] == 0 and np.all(np.diff(times) > 0) and times[-1] <= duration


@pytest.mark.parametrize(
    ("place", "count", "duration", "starts"),
    [
        ("start", 3, 10.0, [0, 2, 4]),
        ("middle", 3, 10.0, [2, 4, 6]),
        ("spread", 3, 10.0, [0, 4, 8]),
        ("start", 1, 10.0, [0]),
        ("middle", 1, 10.0, [4]),
        ("spread", 1, 10.0, [4]),
        ("start", 3, 5.0, [0, 2, 3]),
        ("middle", 3, 5.0, [0, 2, 3]),
        ("spread", 3, 5.0, [0, 1.5, 3]),
        ("start", 2, 1.0, [0, 0]),
        ("spread", 2, 1.0, [0, 0]),
    ],
)
def test_windows_of_two_seconds_by_hand(
    place: Any, count: int, duration: float, starts: list[float]
) -> None:
    assert WindowSampling(100, 2.0, count, place).starts(duration).tolist() == starts


@given(st.integers(1, 50), SPREADS, DURATIONS)
def test_frames_ascend_within_the_video(count: int, spread: Any, duration: float) -> None:
    times = FrameSampling(count, spread).times(duration)
    assert times.dtype == np.float64 and times.shape == (count,)
    assert np.all(np.diff(times) >= 0) and times[0] >= 0
    assert times[-1] <= duration * (1 + 1e-12)


@given(st.integers(1, 50), PLACES, DURATIONS, st.floats(0.1, 100))
def test_windows_ascend_within_the_sound(
    count: int, place: Any, duration: float, seconds: float
) -> None:
    starts = WindowSampling(16_000, seconds, count, place).starts(duration)
    assert starts.dtype == np.float64 and starts.shape == (count,)
    assert np.all(np.diff(starts) >= 0) and starts[0] >= 0
    assert starts[-1] <= max(0.0, duration - seconds)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: FrameSampling(0),
        lambda: FrameNumbers(0),
        lambda: FrameSampling(1, "random"),  # type: ignore[arg-type]
        lambda: FrameNumbers(1, "random"),  # type: ignore[arg-type]
        lambda: FrameRate(0.0, 12),
        lambda: FrameRate(1.0, 0),
        lambda: WindowSampling(0, 1.0),
        lambda: WindowSampling(100, 0.001),
        lambda: WindowSampling(100, float("inf")),
        lambda: WindowSampling(100, 1.0, 0),
        lambda: WindowSampling(100, 1.0, place="end"),  # type: ignore[arg-type]
        lambda: WindowSampling(100, 1.0, pad="noise"),  # type: ignore[arg-type]
        lambda: WindowSampling(100, 1.0, mono="last"),  # type: ignore[arg-type]
    ],
)
def test_a_sampling_that_means_nothing_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"\d|not"):
        wrong()


def test_a_whole_number_of_seconds_is_like_any_other() -> None:
    whole, real = (WindowSampling(8, seconds, 2, place="middle") for seconds in (2, 2.0))
    assert whole.starts(9.0).tolist() == real.starts(9.0).tolist() == [2.5, 4.5]
