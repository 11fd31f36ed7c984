"""Which device a run uses, found out without importing torch where there is no accelerator."""

from __future__ import annotations

import importlib
import re
import shutil
from pathlib import Path

NAMES = re.compile(r"auto|cpu|cuda(:\d+)?")


class UnusableDevice(Exception):
    """The device that was asked for is not there; the message says what is."""


def _may_have_cuda() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()


def _cuda_count() -> int:
    """Devices that the installed torch can use."""
    if not _may_have_cuda():
        return 0
    cuda = importlib.import_module("torch").cuda
    return int(cuda.device_count()) if cuda.is_available() else 0


def resolve_device(asked: str) -> str:
    """ "cpu", "cuda" or "cuda:N" for what was asked, of which "auto" is the best there is.

    Raises UnusableDevice.
    """
    if not NAMES.fullmatch(asked):
        raise UnusableDevice(f"{asked!r} is no device: use auto, cpu, cuda or cuda:N.")
    if asked == "cpu":
        return "cpu"
    count = _cuda_count()
    if asked == "auto":
        return "cuda" if count else "cpu"
    if int(asked.partition(":")[2] or 0) >= count:
        raise UnusableDevice(
            f"{asked} cannot be used: the installed torch finds {count} CUDA devices here. "
            "Use --device cpu, or install a build of torch for your driver."
        )
    return asked
