"""The process that answers (``python -m bench.speed.server DESCRIPTOR CONNECTION``).

It reads its job as one line from standard input, builds the row and its gallery, and says on the
first descriptor, a line of JSON each: {"say": [what, done, total]}, {"built": ...} when it is
ready, {"cannot": sentence} where the row cannot run here, {"failed": sentence}. It then answers
on the second, a socket, until the other end closes, and ends when its parent does.
"""

from __future__ import annotations

import os
import socket
import sys
import time

from bench.as_child import Tell, carry_out, obey_parent, teller
from bench.ranking_check import BadRanking
from bench.speed.front_end import Disagrees, FrontEnd
from bench.speed.job import SpeedJob, speed_job_from_json
from bench.speed.lookup import served_class, served_row
from bench.speed.wire import Closed, Wire
from datasets.candidates import drawn
from retrievers.serving.contract import CannotServe, Place
from retrievers.serving.rows import UnknownRow

SENTENCES = (BadRanking, Disagrees, UnknownRow)


def serve(job: SpeedJob, connection: socket.socket, tell: Tell) -> None:
    """Build, and answer until the other end of the connection closes."""

    def say(label: str, done: int, total: int) -> None:
        tell(say=[label, done, total])

    row = served_row(job.row)
    say(f"loading {row.name}", 0, 1)
    served = served_class(row)(Place(job.device, job.numbers, job.threads, job.cache))
    candidates = drawn(job.cache, job.candidates, job.dim, job.seed, say)
    say(f"building {row.name}", 0, 1)
    built = served.build(candidates, say)
    front_end = FrontEnd(served, row.agreement, built, job, Wire(connection), time.perf_counter)
    tell(built={"seconds": dict(built.seconds), "facts": {**served.options, **built.facts}})
    try:
        front_end.serve()
    except Closed:
        return


def main() -> int:
    tell = teller(int(sys.argv[1]))
    os.set_inheritable(int(sys.argv[2]), False)
    connection = socket.socket(fileno=int(sys.argv[2]))
    job = speed_job_from_json(sys.stdin.buffer.readline().decode())
    obey_parent()
    return carry_out(
        lambda: serve(job, connection, tell),
        tell,
        SENTENCES,
        {CannotServe: lambda told: {"cannot": " ".join(str(told).split())}},
    )


if __name__ == "__main__":
    sys.exit(main())
