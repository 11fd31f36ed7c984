"""Dynamic batching: requests that wait are answered together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice


@dataclass(frozen=True)
class Request:
    """One text to answer.

    at  when the front end had it, on the clock that all processes of a machine share
    """

    number: int
    text: str
    at: float


@dataclass
class Batcher:
    """Takes what waits, oldest first, at most ``largest``, after at most ``wait`` seconds for more.

    receive  returns requests that have come, waiting at most so many seconds for the first, or as
             long as it takes for None; it may return none early
    wait     counted from when the oldest of the batch was received
    """

    receive: Callable[[float | None], Sequence[Request]]
    largest: int
    wait: float
    clock: Callable[[], float]
    _waiting: deque[Request] = field(default_factory=deque)

    def next(self) -> list[Request]:
        """The next batch; empty where ``receive`` came back without a request to begin one."""
        if not self._waiting:
            self._waiting.extend(self.receive(None))
        while self._waiting and len(self._waiting) < self.largest:
            left = self._waiting[0].at + self.wait - self.clock()
            came = self.receive(max(left, 0.0))
            self._waiting.extend(came)
            if not came and left <= 0:
                break
        batch = list(islice(self._waiting, self.largest))
        for _ in batch:
            self._waiting.popleft()
        return batch
