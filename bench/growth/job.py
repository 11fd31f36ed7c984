"""What the process that computes one result is told, and which source decides it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bench.code_digest import DECIDING, code_digest
from bench.growth.results import LivingSpec
from bench.job import Job, job_from_json, job_to_json
from retrievers import registry

OWN = "bench/growth/protocol.py"


@dataclass(frozen=True)
class LivingJob:
    """One result to compute: the cell's job, and the share of the gallery that comes later."""

    job: Job
    spec: LivingSpec


def living_code(retriever: str) -> str:
    """Digest of the source that decides a result of a registered retriever."""
    return code_digest(registry.entry(retriever).target, (*DECIDING, OWN))


def living_job_to_json(told: LivingJob) -> str:
    spec = {"share": told.spec.share, "code": told.spec.code}
    return json.dumps({"job": job_to_json(told.job), **spec})


def living_job_from_json(text: str) -> LivingJob:
    found = json.loads(text)
    job = job_from_json(found["job"])
    return LivingJob(job, LivingSpec(job.spec, found["share"], found["code"]))
