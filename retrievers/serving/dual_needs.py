"""What a dual tower is estimated to need, from the sizes of its tower and its search."""

from __future__ import annotations

from collections.abc import Mapping

from retrievers.serving.contract import Needs, Place
from retrievers.serving.numbers import Computed
from retrievers.serving.search_costs import SearchCost
from retrievers.serving.text_towers import TextTower

# Multiplications and additions a second of two cores of 2.5 GHz with AVX2, in the matrix products
# of a batch of 100: measured in fp32 and int8, and for bf16 what hardware that has it promises.
_PROCESSOR: Mapping[Computed, float] = {"fp32": 130e9, "int8": 230e9, "bf16": 500e9}
# Of accelerators of the last years, far below what they reach with large batches.
_ACCELERATOR: Mapping[Computed, float] = {"fp32": 10e12, "bf16": 60e12, "fp16": 60e12}
_BYTES: Mapping[Computed, int] = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}
# Of splitting a text, and of calls that wait for each other.
_FIXED_SECONDS = 3e-4
# The libraries are loaded, and random weights drawn.
_START_SECONDS, _DRAWN_A_SECOND = 8.0, 15e6
# An interpreter with torch and a tower's library in it, and the intermediate states of a batch.
_PROCESS_BYTES = 900 << 20


def dual_needs(
    place: Place, tower: TextTower, tokens: int, numbers: Computed, search: SearchCost
) -> Needs:
    """Of ``tower`` whose texts are of so many tokens, before ``search``."""
    on_processor = place.device == "cpu"
    rates = _PROCESSOR if on_processor else _ACCELERATOR
    # The network as it was drawn, in fp32, is there beside what is made of it.
    drawn, served = 4 * tower.parameters, _BYTES[numbers] * tower.parameters
    return Needs(
        seconds_to_build=_START_SECONDS
        + tower.parameters / _DRAWN_A_SECOND
        + search.seconds_to_build,
        seconds_a_query=_FIXED_SECONDS
        + tower.operations(tokens) / rates[numbers]
        + search.seconds_a_query,
        host_bytes=_PROCESS_BYTES + drawn + served + search.host_bytes,
        device_bytes=0 if on_processor else served + search.device_bytes,
        kept=search.kept,
    )
