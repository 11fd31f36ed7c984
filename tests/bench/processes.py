"""Runs Python and git for the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.checkout import CHECKOUT


def run(*command: str, folder: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command, cwd=folder, capture_output=True, text=True, check=False
    )


def python(line: str, folder: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-c", line, folder=folder)


def start(*words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, *words],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
