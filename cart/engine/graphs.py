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
from cart.widening import widened

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
class Encoding:
    """One bucket's: inputs to overwrite, what is made of them, and what makes it."""

    ids: Tensor
    mask: Tensor
    memories: Memories
    play: Callable[[], None]


@dataclass(frozen=True)
class Decoding:
    """Memories to overwrite, what is found in them, and what finds it."""

    memories: Memories
    found: Found
    play: Callable[[], None]

    def of_first(self, queries: int) -> Found:
        """What was found for the first ``queries``, as copies: the next batch of this shape is
        written over these tensors."""
        return Found(
            self.found.items[:queries].clone(),
            self.found.scores[:queries].clone(),
            self.found.decoded,
            self.found.let_go[:queries].clone(),
            self.found.beams[:queries].clone(),
        )


class Recordings:
    """Answers batches of up to 128 queries, each shape recorded when it first comes.

    ``decode`` is given memories, k and the width of the beam.
    """

    def __init__(
        self,
        encode: Callable[[Packed], Memories],
        decode: Callable[[Memories, int, int], Found],
        longest: int,
        device: str,
        recorder: Recorder,
    ) -> None:
        self._encode, self._decode = encode, decode
        self._longest, self._device, self._recorder = longest, device, recorder
        self._encodings: dict[Bucket, Encoding] = {}
        self._decodings: dict[tuple[Bucket, int, int], Decoding] = {}
        self._wider: dict[tuple[Bucket, int, int], Decoding] = {}

    def answer(
        self, tokens: Sequence[Sequence[int]], k: int, beam: int, widest: int = 0
    ) -> tuple[Found, list[float]]:
        """The k best of each query, found with a beam that is widened up to ``widest`` where that
        certifies more, and the seconds of encoding and decoding."""
        bucket = Bucket.of(len(tokens), max(map(len, tokens)), self._longest)
        ids, mask = bucket.fill(tokens)
        encoding = self._encoding(bucket, ids, mask)
        decoding = self._first(bucket, encoding.memories, k, beam)
        encoding.ids.copy_(ids)
        encoding.mask.copy_(mask)
        encode, decode = self._recorder.seconds([encoding.play, decoding.play])
        seconds = [encode, decode]

        def again(queries: Tensor, width: int, _: Tensor) -> Found:
            found, more = self._again(bucket.length, encoding.memories, queries, k, width)
            seconds[1] += more
            return found

        found = widened(decoding.of_first(len(tokens)), max(beam, k), widest, again)
        return found, seconds

    def _again(
        self, length: int, memories: Memories, queries: Tensor, k: int, beam: int
    ) -> tuple[Found, float]:
        """Some queries of a batch in the smallest bucket that holds them, filled up with the last
        of them; also the seconds."""
        bucket = Bucket.of(len(queries), length, self._longest)
        filled = torch.cat([queries, queries[-1:].expand(bucket.queries - len(queries))])
        some = memories.some(filled)
        decoding = self._wider.get((bucket, k, beam))
        if decoding is None:
            decoding = self._wider[bucket, k, beam] = self._decoding(some, k, beam)
        _overwrite(decoding.memories, some)
        (seconds,) = self._recorder.seconds([decoding.play])
        return decoding.of_first(len(queries)), seconds

    def _encoding(self, bucket: Bucket, ids: Tensor, mask: Tensor) -> Encoding:
        made = self._encodings.get(bucket)
        if made is None:
            ids, mask = ids.to(self._device, copy=True), mask.to(self._device, copy=True)
            memories, play = self._recorded(lambda: self._encode(padded(ids, mask)))
            made = self._encodings[bucket] = Encoding(ids, mask, memories, play)
        return made

    def _first(self, bucket: Bucket, memories: Memories, k: int, beam: int) -> Decoding:
        """Reads what encoding this bucket writes."""
        made = self._decodings.get((bucket, k, beam))
        if made is None:
            made = self._decodings[bucket, k, beam] = self._decoding(memories, k, beam)
        return made

    def _decoding(self, memories: Memories, k: int, beam: int) -> Decoding:
        found, play = self._recorded(lambda: self._decode(memories, k, beam))
        return Decoding(memories, found, play)

    def _recorded(self, work: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        try:
            return self._recorder.record(work)
        except RuntimeError as error:
            warnings.warn(
                f"a search cannot be recorded on {self._device}, and its kernels are launched one "
                f"by one, which is slower: {error}",
                stacklevel=2,
            )
        self._recorder = Launches(self._device)
        return self._recorder.record(work)
