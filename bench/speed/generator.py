"""The process that asks (``python -m bench.speed.generator DESCRIPTOR CONNECTION``).

It reads its job as one line from standard input, runs its scenarios in turn against what answers
on the second descriptor, a socket, and says on the first, a line of JSON each: {"say": [what,
done, total]}, {"scenario": name, "run": ...} of each scenario that is done, {"done": true} at the
end, {"lost": true} where the other end has gone, {"failed": sentence}. It ends when its parent
does.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from random import Random
from typing import Any

from bench.as_child import Tell, carry_out, obey_parent, teller
from bench.speed.asker import Asker
from bench.speed.cells import ProcessRun, Scalar, Scenario, Window
from bench.speed.job import SpeedJob, speed_job_from_json
from bench.speed.questions import questions
from bench.speed.rounds import Pace, Tick, Timed
from bench.speed.scenarios import burst, closed, highest_rate, once, open_loop, p95_ms
from bench.speed.wire import Closed, Wire

# The first requests, which also tell whether a batch takes longer than a scenario is timed for.
_FIRST = 8
_WARM_UP_SHARE = 1 / 3
_SAY_EVERY = 0.5
_LATENCIES_KEPT = 20_000


class Load:
    """One job's scenarios against one server.

    Nothing is warmed up beyond the first requests where a batch would take longer than a scenario
    is timed for.
    """

    def __init__(self, job: SpeedJob, asker: Asker, tell: Tell) -> None:
        self._job = job
        self._asker = asker
        self._tell = tell
        self._pace = self._warmed_up()
        self._capacity = 0.0

    def run(self, scenario: Scenario) -> ProcessRun:
        """Raises wire.Closed where the server has gone."""
        if scenario == "open" and not self._capacity:
            self._timed("closed-100")
        self._asker.order({"begin": self._job.seed})
        timed = self._timed(scenario)
        report = self._asker.order({"end": [timed.begin, timed.end]})["report"]
        return self._process_run(timed, report, self._within_bound(scenario))

    def _warmed_up(self) -> Pace:
        load, seconds = self._job.load, self._job.seconds
        first = min(_FIRST, load.outstanding)
        self._tell(say=["warm-up", 0, 1])
        took = max(once(self._asker, first))
        if took * load.outstanding / first > seconds >= 2 * took:
            # Much of it may have been what is done once.
            took = max(once(self._asker, first))
        slow = took * load.outstanding / first > seconds
        return Pace(seconds, 0.0 if slow else seconds * _WARM_UP_SHARE)

    def _timed(self, scenario: Scenario) -> Timed:
        tick, load = self._ticks(scenario), self._job.load
        if scenario == "closed-100":
            timed = closed(self._asker, load.outstanding, self._pace, tick)
            self._capacity = timed.completed / (timed.end - timed.begin)
            return timed
        if scenario == "burst-100":
            return burst(self._asker, load.outstanding, self._pace, tick)
        if scenario == "open":
            return self._open(load.rate_share * self._capacity, tick)
        return _timed_of(self._asker.order({"direct": asdict(self._pace)})["timed"])

    def _open(self, rate: float, tick: Tick) -> Timed:
        load = self._job.load
        return open_loop(self._asker, rate, load.outstanding, self._pace, self._job.seed, tick)

    def _within_bound(self, scenario: Scenario) -> Mapping[str, Scalar]:
        """The highest rate within the bound, where one was given."""
        bound = self._job.load.latency_ms
        if scenario != "open" or not bound:
            return {}
        tick = self._ticks(f"highest rate within {bound:g} ms")

        def p95(rate: float) -> float:
            return p95_ms(self._open(rate, tick))

        found = highest_rate(p95, bound, self._capacity)
        return {f"queries/s with p95 within {bound:g} ms": found}

    def _ticks(self, label: str) -> Tick:
        total = max(1, round(self._job.seconds + self._pace.warm_up))
        said = 0.0

        def tick(elapsed: float) -> None:
            nonlocal said
            if elapsed - said >= _SAY_EVERY:
                said = elapsed
                self._tell(say=[label, min(int(elapsed), total), total])

        return tick

    def _process_run(
        self, timed: Timed, report: Mapping[str, Any], facts: Mapping[str, Scalar]
    ) -> ProcessRun:
        kept = list(timed.latencies)
        if len(kept) > _LATENCIES_KEPT:
            kept = Random(self._job.seed).sample(kept, _LATENCIES_KEPT)
        return ProcessRun(
            windows=tuple(
                Window(each.begin - timed.begin, each.end - timed.begin, each.completed)
                for each in timed.windows
            ),
            steady=timed.steady,
            latencies_ms=tuple(1000 * latency for latency in kept),
            completed=timed.completed,
            warm_up=timed.warm_up,
            build={},
            facts=facts,
            generator_qps=0.0,
            offered_qps=timed.offered,
            **report,
        )


def _timed_of(found: Mapping[str, Any]) -> Timed:
    windows = tuple(Window(**window) for window in found["windows"])
    return Timed(**{**found, "windows": windows, "latencies": tuple(found["latencies"])})


def ask(job: SpeedJob, connection: socket.socket, tell: Tell) -> None:
    """Run the scenarios in turn, and tell each as it is done. Raises wire.Closed."""
    texts = questions(job.load.texts, job.seed)
    load = Load(job, Asker(Wire(connection), texts, time.perf_counter), tell)
    for scenario in job.scenarios:
        tell(scenario=scenario, run=asdict(load.run(scenario)))


def main() -> int:
    tell = teller(int(sys.argv[1]))
    os.set_inheritable(int(sys.argv[2]), False)
    connection = socket.socket(fileno=int(sys.argv[2]))
    job = speed_job_from_json(sys.stdin.buffer.readline().decode())
    obey_parent()

    def work() -> None:
        ask(job, connection, tell)
        tell(done=True)

    return carry_out(work, tell, expected={Closed: lambda _: {"lost": True}})


if __name__ == "__main__":
    sys.exit(main())
