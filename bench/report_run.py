"""Writes the HTML report at the end of a run, and other pages, in a process of its own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.checkout import CHECKOUT


def write_report(results: Path, output: Path | None, out: Console, err: Console) -> Path | None:
    """Write the HTML report and print where it is; None where that did not go well."""
    words = ["-m", "reports", "--results", str(results)]
    words += ["--output", str(output)] if output else []
    return _written("Report", words, out, err)


def write_ablations(results: Path, out: Console, err: Console) -> Path | None:
    """Write the plots and tables of the ablations as files and print their folder; None where
    that did not go well."""
    words = ["-m", "reports.ablations", "--results", str(results)]
    return _written("Plots and tables", words, out, err)


def write_comparison(
    document: Mapping[str, Any], output: Path, out: Console, err: Console
) -> Path | None:
    """Write the page of a comparison from its document and print where it is; None where that
    did not go well."""
    words = ["-m", "reports.compare_page", "--output", str(output)]
    return _written("Page", words, out, err, json.dumps(document, allow_nan=False))


def _written(
    what: str, words: Sequence[str], out: Console, err: Console, told: str = ""
) -> Path | None:
    """Run a program that prints, as its last line, the place of what it wrote.

    told  what it reads from standard input
    """
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    ended = subprocess.run(  # noqa: S603
        [sys.executable, *words],
        input=told,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    lines = ended.stdout.strip().splitlines()
    if ended.returncode or not lines:
        err.print(f"{what}: nothing was written. Try: {shlex.join(['python', *words])}")
        return None
    out.print(f"{what}: {lines[-1]}", markup=False, highlight=False, soft_wrap=True)
    return Path(lines[-1])
