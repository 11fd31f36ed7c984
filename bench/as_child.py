"""What a process does that a run started: it ends with its parent and says what went wrong."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping

from bench.checkout import CHECKOUT

Tell = Callable[..., None]


def obey_parent() -> None:
    """End when the parent does, and tidy up on the way out when it asks for the end.

    To be called when the last line was read from standard input, which from here on only tells,
    by closing, that the parent has gone.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def teller(descriptor: int) -> Tell:
    """Says keyword arguments as one line of JSON on an open file, which children do not get."""
    os.set_inheritable(descriptor, False)

    def tell(**message: object) -> None:
        line = json.dumps(message) + "\n"
        rest = memoryview(line.encode())
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return tell


def carry_out(
    work: Callable[[], None],
    tell: Tell,
    sentences: tuple[type[Exception], ...] = (),
    expected: Mapping[type[Exception], Callable[[Exception], Mapping[str, object]]] | None = None,
) -> int:
    """Do the work and tell how it fails; returns the exit status.

    sentences  what may go wrong with a message that says all
    expected   what is no failure -> what is told of it
    """
    try:
        work()
    except KeyboardInterrupt:
        return 130
    except Exception as problem:
        for kind, message in (expected or {}).items():
            if isinstance(problem, kind):
                tell(**message(problem))
                return 0
        if not isinstance(problem, sentences):
            traceback.print_exc()
        tell(failed=failure_sentence(problem, sentences))
    return 0


def failure_sentence(
    problem: BaseException, sentences: tuple[type[BaseException], ...] = ()
) -> str:
    """What it says, and unless it is one of ``sentences``, the last place that it passed."""
    text = " ".join(str(problem).split()) or "no message"
    if isinstance(problem, sentences):
        return text
    frames = traceback.extract_tb(problem.__traceback__)
    places = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    where = ""
    if places:
        last = places[-1]
        name = last.filename.removeprefix(f"{CHECKOUT}{os.sep}")
        where = f" ({name}, line {last.lineno})"
    return f"{type(problem).__name__}: {text}{where}"


def _end_with_parent() -> None:
    """Standard input closes when the parent has gone, however it went."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _interrupt(*_: object) -> None:
    """What is being written is tidied up on the way out, as at a Ctrl-C."""
    raise KeyboardInterrupt
