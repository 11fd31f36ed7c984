"""Lanes of work: order within a lane, several at once, and an end for all when one fails."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bench.plan import Planned
from bench.request import Request, run_options
from bench.side_by_side import Stopped, side_by_side
from bench.sources import DatasetSource
from retrievers.base import Settings


def test_things_of_a_lane_are_done_in_turn_and_results_keep_their_places() -> None:
    seen: dict[str, list[int]] = {"a": [], "b": [], "c": []}

    def work(thing: tuple[str, int], stop: threading.Event) -> str:
        lane, number = thing
        seen[lane].append(number)
        return f"{lane}{number}"

    lanes = [[(name, number) for number in range(5)] for name in seen]
    done = side_by_side(lanes, work, 2)
    assert done == [[f"{name}{number}" for number in range(5)] for name in seen]
    assert all(numbers == list(range(5)) for numbers in seen.values())


def test_as_many_lanes_at_once_as_are_allowed() -> None:
    meeting = threading.Barrier(2, timeout=30)

    def work(thing: int, stop: threading.Event) -> int:
        return meeting.wait()

    (first,), (second,) = side_by_side([[0], [1]], work, 2)
    assert {first, second} == {0, 1}


def test_one_lane_at_a_time() -> None:
    inside = threading.Semaphore(1)

    def work(thing: int, stop: threading.Event) -> int:
        assert inside.acquire(blocking=False)
        inside.release()
        return thing

    assert side_by_side([[1, 2], [3], []], work, 1) == [[1, 2], [3], []]


def test_a_failure_stops_the_others_and_is_what_is_raised() -> None:
    began = threading.Event()
    ended: list[str] = []

    def work(thing: str, stop: threading.Event) -> str:
        if thing == "fails":
            assert began.wait(30)
            raise ValueError("broken")
        began.set()
        assert stop.wait(30), "nobody said that it is over"
        ended.append(thing)
        raise Stopped

    with pytest.raises(ValueError, match="broken"):
        side_by_side([["waits", "never"], ["fails"]], work, 2)
    assert ended == ["waits"]


def request(**changes: object) -> Request:
    plain: dict[str, object] = dict.fromkeys(Request.__dataclass_fields__)
    plain |= {"results": Path("results"), "quiet": True, "everything": True}
    return Request(**(plain | changes))  # type: ignore[arg-type]


def planned(name: str, device: str = "cpu") -> Planned:
    source = DatasetSource(name, Path("cache"))
    settings = Settings(0, device, Path("cache"))
    return Planned(source, name, "own", "toy", "run", settings=settings)


@pytest.mark.parametrize(
    ("changes", "device", "at_once", "threads"),
    [
        ({}, "cpu", 3, 1),
        ({}, "cuda", 1, None),
        ({"everything": False}, "cpu", 1, None),
        ({"jobs": 2}, "cuda", 2, 2),
        ({"jobs": 2, "threads": 7}, "cpu", 2, 7),
        ({"jobs": 9}, "cpu", 9, 1),
        ({"jobs": 1}, "cpu", 1, None),
    ],
)
def test_how_the_cores_are_shared(
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    device: str,
    at_once: int,
    threads: int | None,
) -> None:
    monkeypatch.setattr("bench.request.default_workers", lambda: 4)
    cells = [planned(name, device) for name in ("a", "b", "b", "c")]
    options = run_options(request(**changes), cells)
    assert (options.at_once, options.threads) == (at_once, threads)
