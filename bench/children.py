"""Fresh processes that a run starts, listens to and ends."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.checkout import CHECKOUT
from bench.side_by_side import Stopped

GRACE_SECONDS = 5.0
LEAVING_SECONDS = 60.0
POLL_SECONDS = 0.2
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
# How long a thread of GNU OpenMP spins before it sleeps. Left alone it spins for milliseconds,
# which takes the processor from the thread it waits for as soon as anything else runs: beside one
# busy program on two cores a training step took 0.6 to 0.8 s, with this 0.33 s; alone 0.18 s and
# 0.19 s.
SPIN = {"GOMP_SPINCOUNT": "3000"}
SPIN_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


@dataclass(frozen=True)
class Child:
    """A process of our own, and the end of the pipe on which it says lines."""

    process: subprocess.Popen[bytes]
    reader: int

    def tell(self, line: str) -> None:
        """Write a line to its standard input; one that has ended is not told."""
        if self.process.stdin is None:
            raise RuntimeError("the process was started without standard input")
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def lines(self, stop: threading.Event | None) -> Iterator[bytes]:
        """Lines until it has ended; a process that outlives it may hold the pipe open.

        Raises Stopped once ``stop`` is set.
        """
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.reader, selectors.EVENT_READ)
            while True:
                if stop is not None and stop.is_set():
                    raise Stopped
                ended = self.process.poll() is not None
                if selector.select(0 if ended else POLL_SECONDS):
                    received = os.read(self.reader, 65536)
                    if not received:
                        return
                    *lines, rest = (rest + received).split(b"\n")
                    yield from lines
                elif ended:
                    return

    def left(self) -> int | None:
        """Its exit status, waited for a while after it has said its last; None where it stays."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(LEAVING_SECONDS)
        return self.process.poll()

    def end(self) -> None:
        """Ask the process to end, then end it and all that it started."""
        os.close(self.reader)
        with contextlib.suppress(ProcessLookupError):
            if self.process.poll() is None:
                self.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(GRACE_SECONDS)
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()


def start_child(
    module: str,
    *,
    threads: int | None = None,
    quiet: bool = False,
    descriptors: Sequence[int] = (),
) -> Child:
    """Start ``python -m MODULE DESCRIPTOR...``, the first descriptor that of the child's lines.

    threads      of each numerical library, None where they decide for themselves
    quiet        whether what it prints is hidden
    descriptors  further open files that it is handed, by number on its command line
    """
    reader, writer = os.pipe()
    output = subprocess.DEVNULL if quiet else None
    handed = (writer, *descriptors)
    try:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", module, *map(str, handed)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=_environment(threads),
            pass_fds=handed,
            start_new_session=True,
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    return Child(process, reader)


def _environment(threads: int | None) -> Mapping[str, str]:
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    count = dict.fromkeys(THREAD_VARIABLES, str(threads)) if threads else {}
    spin = {} if any(name in os.environ for name in SPIN_VARIABLES) else SPIN
    return {**os.environ, "PYTHONPATH": path, **spin, **count}


def death(status: int | None) -> str:
    """How a process ended that gave no reason, a sentence without its full stop."""
    if status is None:
        return "its process gave no reason and did not end, so it was ended"
    if status >= 0:
        return f"its process ended with status {status} and gave no reason"
    name = signal.Signals(-status).name
    hint = ", often for want of memory" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{hint}"
