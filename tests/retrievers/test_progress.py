"""Bars tell the time left."""

from __future__ import annotations

import pytest

from retrievers.progress import Bars


def test_time_left_is_told_of_steps_that_take_minutes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = [0.0]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("rich.console.monotonic", lambda: seconds[0])
    bars = Bars()
    with bars.shown():
        for step in range(3):
            bars.step("encoding", step, 5)
            seconds[0] += 300
        seconds[0] -= 300
    assert "0:15:00" in capsys.readouterr().err
