"""The process that makes one map (``python -m bench.ablations.map_process DESCRIPTOR``).

It speaks as ``bench.cell_process`` does.
"""

from __future__ import annotations

import sys

from bench.ablations.runs import RunStore
from bench.cell_process import SENTENCES, as_planned, serve
from bench.files import replace_file
from bench.item_map import NoMap, to_bytes
from bench.job import Job
from bench.measure import Say
from bench.projection import project
from retrievers.base import Mapped


def compute(job: Job, say: Say) -> str:
    """Fit, index and store the map of the gallery; returns the key that it is stored under.

    Raises NoMap.
    """
    say("load")
    dataset, retriever = as_planned(job)
    if not isinstance(retriever, Mapped):
        raise NoMap(f"{job.retriever} names its items by no codes, so there is nothing to map")
    say("fit")
    retriever.fit(dataset.train, dataset.validation)
    say("index")
    retriever.index(dataset.gallery)
    say("map")
    points = project(retriever.item_map(dataset.gallery), job.spec.seed)
    say("store")
    path = RunStore(job.results).arrays(job.spec.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, to_bytes(points))
    return job.spec.key


if __name__ == "__main__":
    sys.exit(serve(compute, (*SENTENCES, NoMap)))
