"""The asking end of a connection: single texts, each with the instant from which it is timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bench.speed.wire import Message, Wire


class Asker:
    """Asks texts in their order and remembers since when it waits for each answer."""

    def __init__(self, wire: Wire, texts: Iterator[str], clock: Callable[[], float]) -> None:
        self._wire = wire
        self._texts = texts
        self._asked = 0
        self._starts: dict[int, float] = {}
        self.clock = clock

    @property
    def outstanding(self) -> int:
        """Requests that are not answered yet."""
        return len(self._starts)

    def ask(self, starts: Sequence[float]) -> None:
        """Ask a text for each instant from which its answer is to be timed."""
        if not starts:
            return
        numbers = range(self._asked, self._asked + len(starts))
        self._asked += len(starts)
        self._starts.update(zip(numbers, starts, strict=True))
        self._wire.post({"ask": list(zip(numbers, self._texts, strict=False))})

    def answered(self, timeout: float) -> tuple[float, list[float]]:
        """The instant, and since when each answer that has come by then was waited for.

        Waits at most so many seconds for a first one. Raises wire.Closed.
        """
        messages = self._wire.receive(timeout)
        at = self.clock()
        starts = [
            self._starts.pop(number) for message in messages for number, _ in message["answers"]
        ]
        return at, starts

    def order(self, order: Message) -> Message:
        """Tell the server something else than to answer, and wait for what it says to that.

        To be called while nothing is outstanding. Raises wire.Closed.
        """
        self._wire.send(order)
        replies: list[Message] = []
        while not replies:
            replies = self._wire.receive(None)
        return replies[0]
