"""Writes the HTML report at the end of a run, in a process of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from bench.checkout import CHECKOUT


def write_report(results: Path, output: Path | None, out: Console, err: Console) -> bool:
    """Write the HTML report and print where it is; whether that went well."""
    words = ["-m", "reports", "--results", str(results)]
    words += ["--output", str(output)] if output else []
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    ended = subprocess.run(  # noqa: S603
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    lines = ended.stdout.strip().splitlines()
    if ended.returncode or not lines:
        err.print(f"The report was not written. Try: {shlex.join(['python', *words])}")
        return False
    out.print(f"Report: {lines[-1]}", markup=False, highlight=False, soft_wrap=True)
    return True
