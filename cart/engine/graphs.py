"""Searches of fixed shapes, recorded once and played back: on an accelerator a search is
thousands of small kernels, and to launch them one by one takes longer than they run."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from cart.beam import Found
from cart.engine.memories import Memories
from cart.engine.packing import Packed, padded
from cart.tokenizer import pad

T = TypeVar("T")

BATCHES = (1, 8, 32, 128)
LENGTHS = 8
WARM_UPS = 3


@dataclass(frozen=True)
class Bucket:
    """The shape that queries are padded to."""

    queries: int
    length: int

    @staticmethod
    def of(queries: int, length: int, longest: int) -> Bucket:
        """The smallest that holds so many queries (128 at most) of up to ``length`` tokens;
        ``longest`` is what the model reads."""
        wide = next(batch for batch in BATCHES if batch >= queries)
        return Bucket(wide, min(-(-length // LENGTHS) * LENGTHS, longest))

    def fill(self, tokens: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Token ids int64 [queries, length] and their mask; a query that only fills up has one
        token, for attention to nothing is no number."""
        short, there = pad(tokens)
        ids = torch.zeros((self.queries, self.length), dtype=torch.int64)
        mask = torch.zeros_like(ids, dtype=torch.bool)
        ids[: len(short), : short.shape[1]] = short
        mask[: len(short), : short.shape[1]] = there
        mask[len(short) :, 0] = True
        return ids, mask


class Recorder(Protocol):
    """What an accelerator can do with work whose shapes never change."""

    def record(self, work: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        """The tensors that ``work`` gives, and what does it again into the same tensors.

        Raises RuntimeError where the work cannot be recorded.
        """
        ...

    def seconds(self, phases: Sequence[Callable[[], None]]) -> list[float]:
        """Do the phases one behind the other, wait for the last, and tell what each took."""
        ...


@dataclass(frozen=True)
class CudaGraphs:
    """CUDA graphs of one device."""

    device: str

    def record(self, work: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        aside = torch.cuda.Stream(self.device)
        aside.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                work()
        torch.cuda.current_stream(self.device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            made = work()
        return made, graph.replay

    def seconds(self, phases: Sequence[Callable[[], None]]) -> list[float]:
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(len(phases) + 1)]
        marks[0].record()
        for phase, mark in zip(phases, marks[1:], strict=True):
            phase()
            mark.record()
        marks[-1].synchronize()
        return [before.elapsed_time(after) / 1e3 for before, after in pairwise(marks)]


@dataclass(frozen=True)
class Launches:
    """The same without recording: the work is done anew each time, from the host."""

    device: str

    def record(self, work: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        made = work()
        return made, lambda: _overwrite(made, work())

    def seconds(self, phases: Sequence[Callable[[], None]]) -> list[float]:
        marks = [time.perf_counter()]
        for phase in phases:
            phase()
            if torch.device(self.device).type == "cuda":
                torch.cuda.synchronize(self.device)
            marks.append(time.perf_counter())
        return [after - before for before, after in pairwise(marks)]


def _overwrite(old: object, new: object) -> None:
    """Write the tensors of ``new`` over those of ``old``, which is made alike."""
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        old.copy_(new)
    elif isinstance(old, tuple) and isinstance(new, tuple):
        for one, other in zip(old, new, strict=True):
            _overwrite(one, other)
    elif is_dataclass(old):
        for field in fields(old):
            _overwrite(getattr(old, field.name), getattr(new, field.name))


@dataclass(frozen=True)
class Recording:
    """One bucket's: inputs to overwrite, the answer's tensors, and both phases."""

    ids: Tensor
    mask: Tensor
    found: Found
    phases: tuple[Callable[[], None], Callable[[], None]]


class Recordings:
    """Answers batches of up to 128 queries, each shape recorded when it first comes."""

    def __init__(
        self,
        encode: Callable[[Packed], Memories],
        decode: Callable[[Memories, int], Found],
        longest: int,
        device: str,
        recorder: Recorder,
    ) -> None:
        self._encode, self._decode = encode, decode
        self._longest, self._device, self._recorder = longest, device, recorder
        self._made: dict[tuple[Bucket, int], Recording] = {}

    def answer(self, tokens: Sequence[Sequence[int]], k: int) -> tuple[Found, list[float]]:
        """The k best of each query, and the seconds of encoding and decoding."""
        bucket = Bucket.of(len(tokens), max(map(len, tokens)), self._longest)
        ids, mask = bucket.fill(tokens)
        made = self._made.get((bucket, k))
        if made is None:
            made = self._made[bucket, k] = self._recorded(ids, mask, k)
        made.ids.copy_(ids)
        made.mask.copy_(mask)
        seconds = self._recorder.seconds(made.phases)
        here = slice(0, len(tokens))
        # Copies: the next batch of this shape is written over these tensors.
        found = Found(
            made.found.items[here].clone(), made.found.scores[here].clone(), made.found.decoded
        )
        return found, seconds

    def _recorded(self, ids: Tensor, mask: Tensor, k: int) -> Recording:
        ids, mask = ids.to(self._device, copy=True), mask.to(self._device, copy=True)
        try:
            return self._record(ids, mask, k)
        except RuntimeError as error:
            warnings.warn(
                f"a search cannot be recorded on {self._device}, and its kernels are launched one "
                f"by one, which is slower: {error}",
                stacklevel=2,
            )
        self._recorder = Launches(self._device)
        return self._record(ids, mask, k)

    def _record(self, ids: Tensor, mask: Tensor, k: int) -> Recording:
        memories, encode = self._recorder.record(lambda: self._encode(padded(ids, mask)))
        found, decode = self._recorder.record(lambda: self._decode(memories, k))
        return Recording(ids, mask, found, (encode, decode))
