"""The process that computes one cell (``python -m bench.cell_process DESCRIPTOR``).

It reads its job as one line from standard input and says on the given file descriptor, a line of
JSON each: {"phase": ...} when a phase begins, and at the end {"done": key}, {"absent": sentence}
where weights are missing, or {"failed": sentence}. It ends when its parent does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

from bench.as_child import Tell, carry_out, obey_parent, teller
from bench.caption_check import LeakedCaptions
from bench.cells import Cell
from bench.code_digest import code_digest
from bench.galleries import galleries
from bench.inside import record
from bench.inside.look import look_inside
from bench.job import Job, job_from_json
from bench.looks import ATTACHMENT, looks, looks_to_json
from bench.measure import Measurement, Say, SpecMismatch, measure
from bench.ranking_check import BadRanking
from bench.store import ResultStore
from datasets.base import Dataset, DatasetError
from datasets.media.files import MediaError
from retrievers import registry
from retrievers.base import Retriever, WeightsAbsent
from retrievers.import_files import ImportProblem
from retrievers.weights.report import CheckpointError


class SourceChanged(Exception):
    """What was planned is not what is here now."""


SENTENCES = (
    SourceChanged,
    SpecMismatch,
    BadRanking,
    LeakedCaptions,
    DatasetError,
    MediaError,
    CheckpointError,
    ImportProblem,
)


def compute(job: Job, say: Say) -> str:
    """Compute and store one cell; returns its key."""
    store = ResultStore(job.results)
    say("load")
    dataset, retriever = as_planned(job)
    taken = measure(job.spec, dataset, retriever, say)
    say("inside")
    seen, unseen = _inside(job, dataset, retriever, taken)
    say("store")
    top = dict(zip(taken.frame["query"], taken.frame["ids"], strict=True))
    searched_last = galleries(dataset, job.spec.seed)[-1].items
    shown, notes = looks(dataset, retriever, searched_last, top, store)
    cell = Cell(
        spec=job.spec,
        status="done",
        created=datetime.now(UTC).isoformat(),
        modality=dataset.modality,
        media_to_text=dataset.media_to_text,
        metrics=taken.metrics,
        reverse=taken.reverse,
        counts=taken.counts,
        seconds=taken.seconds,
        pace=taken.pace,
        memory=taken.memory,
        diagnostics=taken.diagnostics,
        ceilings=dataset.ceilings,
        notes=(*taken.notes, *unseen, *notes),
        **asdict(job.provenance),
    )
    attachments = {**seen, ATTACHMENT: looks_to_json(shown)}
    store.write(cell, taken.frame, reverse=taken.reverse_frame, attachments=attachments)
    return job.spec.key


def as_planned(job: Job) -> tuple[Dataset, Retriever]:
    """The dataset and the retriever of a job, not yet fitted.

    Raises SourceChanged where code or data are not what the plan saw, and what the dataset and
    the adapter raise.
    """
    if code_digest(registry.entry(job.retriever).target) != job.spec.code:
        raise SourceChanged("the source code changed during the run; run it again")
    dataset = job.source.load()
    if dataset.digest != job.spec.dataset_digest:
        raise SourceChanged(f"the data of {dataset.name} changed during the run; run it again")
    return dataset, registry.adapter(job.retriever).build(job.settings)


def _inside(
    job: Job, dataset: Dataset, retriever: Retriever, taken: Measurement
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """What cannot be shown of a retriever does not undo the measurement."""
    spec = job.spec
    last = galleries(dataset, spec.seed)[-1]
    try:
        found = look_inside(retriever, last, taken.frame, spec.k, spec.seed)
    except Exception as problem:
        told = f"{type(problem).__name__}: {problem}"
        return {}, (f"What goes on inside the retriever is left out: {told}",)
    return ({} if found is None else {record.NAME: record.to_bytes(found)}), ()


def serve(
    compute: Callable[[Job, Say], str], sentences: tuple[type[Exception], ...] = SENTENCES
) -> int:
    """Do the job that standard input names and say how it went; returns the exit status.

    sentences  what may go wrong with a message that says all
    """
    tell = teller(int(sys.argv[1]))
    job = job_from_json(sys.stdin.buffer.readline().decode())
    obey_parent()
    return told_to_parent(lambda say: compute(job, say), tell, sentences)


def told_to_parent(
    compute: Callable[[Say], str], tell: Tell, sentences: tuple[type[Exception], ...]
) -> int:
    """Compute one result, and tell its phases, its key, or why there is none."""

    def work() -> None:
        tell(done=compute(lambda phase: tell(phase=phase)))

    return carry_out(work, tell, sentences, {WeightsAbsent: lambda told: {"absent": str(told)}})


if __name__ == "__main__":
    sys.exit(serve(compute))
