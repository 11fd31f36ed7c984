"""The process that computes one result (``python -m bench.growth.process DESCRIPTOR``).

It speaks as ``bench.cell_process`` does; its line of standard input is a ``LivingJob``.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime

from bench.as_child import obey_parent, teller
from bench.cell_process import SENTENCES, SourceChanged, as_planned, told_to_parent
from bench.growth.job import LivingJob, living_code, living_job_from_json
from bench.growth.protocol import NothingToAdd, NotUpdatable, grow
from bench.growth.results import Living, LivingStore
from bench.measure import Say


def compute(told: LivingJob, say: Say) -> str:
    """Compute and store one result; returns its key."""
    job = told.job
    say("load")
    if living_code(job.retriever) != told.spec.code:
        raise SourceChanged("the source code changed during the run; run it again")
    dataset, retriever = as_planned(job)
    growth = grow(job.spec, dataset, retriever, told.spec.share, say)
    say("store")
    result = Living(
        told.spec, "done", datetime.now(UTC).isoformat(), growth=growth, **asdict(job.provenance)
    )
    LivingStore(job.results).write(result)
    return told.spec.key


def main() -> int:
    tell = teller(int(sys.argv[1]))
    told = living_job_from_json(sys.stdin.buffer.readline().decode())
    obey_parent()
    sentences = (*SENTENCES, NothingToAdd, NotUpdatable)
    return told_to_parent(lambda say: compute(told, say), tell, sentences)


if __name__ == "__main__":
    sys.exit(main())
