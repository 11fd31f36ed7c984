"""Rows of the sweep that behave well or badly on purpose: tests.bench.sweep_toys:QUICK."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from retrievers.serving.contract import CannotServe, Needs, Place, ServedRow
from tests.bench.speed_toys import Toy, ToyClass


def too_much(place: Place, candidates: int) -> Needs:
    return Needs(seconds_to_build=1.0, seconds_a_query=0.0, host_bytes=10**15)


def too_many(place: Place, candidates: int) -> Needs:
    if candidates > 1000:
        raise CannotServe("The toy's box holds 1,000.")
    return Needs(seconds_to_build=1.0, seconds_a_query=0.001, host_bytes=1 << 20)


def no_idea(place: Place, candidates: int) -> Needs:
    raise RuntimeError("the toy cannot count")


@dataclass(frozen=True)
class NeedyToy:
    """Serves as the other toys do, and tells of its needs what it was told."""

    needs: Callable[[Place, int], Needs]

    def __call__(self, place: Place) -> Toy:
        return ToyClass()(place)


def _row(name: str, made_by: str) -> ServedRow:
    return ServedRow(
        name=name,
        target=f"tests.bench.{made_by}",
        system="",
        paradigm="generative",
        form=f"a toy that is {name}",
        weights="of wood",
        dim=8,
    )


TooLarge = NeedyToy(too_much)
Small = NeedyToy(too_many)
Clueless = NeedyToy(no_idea)

QUICK = _row("quick", "speed_toys:Slow")
QUARTER = _row("quarter", "speed_toys:Quarter")
SLOW = _row("slow", "speed_toys:VerySlow")
CRASHES = _row("crashes", "speed_toys:BuildCrashes")
LACKING = _row("lacking", "speed_toys:Lacking")
TOO_LARGE = _row("too-large", "sweep_toys:TooLarge")
SMALL = _row("small", "sweep_toys:Small")
CLUELESS = _row("clueless", "sweep_toys:Clueless")
