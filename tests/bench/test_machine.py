"""What is recorded of machine, packages, revision and memory."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bench.machine import machine, peak_bytes, revision, versions
from tests.bench.processes import python, run


def test_every_field_says_something() -> None:
    found = machine(device="cpu", threads=3)
    assert all(found.values())
    assert found["threads"] == "3"
    assert int(found["cores"]) == len(os.sched_getaffinity(0))
    assert found["memory"].endswith("GiB")
    assert machine(device="cpu", threads=None)["threads"].startswith("library default")


def test_versions_are_those_that_are_installed() -> None:
    assert versions()["numpy"] == np.__version__
    assert all(versions().values())


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    ended = run("git", *who, *words, folder=folder)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_a_revision_says_whether_the_tree_is_clean(tmp_path: Path) -> None:
    assert revision(tmp_path) == ""
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert revision(tmp_path) == commit
    (tmp_path / "a").write_text("2")
    assert revision(tmp_path) == f"{commit}+changes"


def test_peak_memory_is_of_this_process_alone() -> None:
    """A process started by a large one must not inherit its peak."""
    ballast = np.ones(40_000_000)
    assert peak_bytes() > ballast.nbytes
    line = "from bench.machine import peak_bytes; print(peak_bytes())"
    child = python(line)
    assert int(child.stdout) < ballast.nbytes


def test_peak_memory_stays_when_memory_is_given_back() -> None:
    line = (
        "from bench.machine import peak_bytes; big = bytearray(200_000_000); del big; "
        "print(peak_bytes())"
    )
    child = python(line)
    assert int(child.stdout) > 200_000_000
