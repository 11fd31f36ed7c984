"""Messages between the process that asks and the one that answers: lines of JSON on a socket.

A message holds as many requests or answers as there are at that moment, so that what asks need
not pay for each one's way through the kernel.
"""

from __future__ import annotations

import json
import select
import socket
from typing import Any

Message = dict[str, Any]

_READ_AT_ONCE = 1 << 20


class Closed(Exception):
    """The other end has gone."""


class Wire:
    """One end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._incoming = b""
        self._outgoing = bytearray()

    def post(self, message: Message) -> None:
        """Send as much as the other end takes now; the rest goes while receiving."""
        self._outgoing += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        self._flush()

    def send(self, message: Message) -> None:
        """Send, and return when the other end has it. Raises Closed."""
        self.post(message)
        while self._outgoing:
            select.select([], [self._connection], [])
            self._flush()

    def receive(self, timeout: float | None) -> list[Message]:
        """What has come, waiting at most ``timeout`` seconds for something; None waits on.

        It may return nothing early. Raises Closed.
        """
        writing = [self._connection] if self._outgoing else []
        readable, writable, _ = select.select([self._connection], writing, [], timeout)
        if writable:
            self._flush()
        return self._read() if readable else []

    def _read(self) -> list[Message]:
        try:
            received = self._connection.recv(_READ_AT_ONCE)
        except BlockingIOError:
            return []
        except ConnectionError as problem:
            raise Closed from problem
        if not received:
            raise Closed
        *lines, self._incoming = (self._incoming + received).split(b"\n")
        return [json.loads(line) for line in lines]

    def _flush(self) -> None:
        try:
            while self._outgoing:
                del self._outgoing[: self._connection.send(self._outgoing)]
        except BlockingIOError:
            return
        except ConnectionError as problem:
            raise Closed from problem
