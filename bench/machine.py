"""What a result was computed on and with: hardware, system, packages and git revision."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "torch",
    "torchvision",
    "open_clip_torch",
    "transformers",
    "tokenizers",
    "faiss-cpu",
    "faiss-gpu-cu12",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "pyarrow",
    "pillow",
    "safetensors",
)


def _output(*command: str, folder: Path | None = None) -> str:
    """What a command prints; nothing where it is not installed or fails."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        ended = subprocess.run(  # noqa: S603
            command, cwd=folder, capture_output=True, text=True, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> str:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return "unknown"
    return f"{total / 2**30:.1f} GiB"


def accelerators() -> str:
    """The names of the NVIDIA devices, "none" where there are none."""
    names = _output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
    return "; ".join(names.splitlines()) or "none"


def machine(*, device: str, threads: int | None, at_once: int = 1) -> dict[str, str]:
    """The machine as a result records it.

    device   what the retriever was told to use
    threads  of each numerical library, None where they decide for themselves
    at_once  cells that shared the machine, recorded where there was more than one
    """
    beside = {"cells at once": str(at_once)} if at_once > 1 else {}
    return {
        **beside,
        "processor": _processor(),
        "cores": str(_cores()),
        "threads": str(threads) if threads else f"library default on {_cores()} cores",
        "memory": _memory(),
        "accelerator": accelerators(),
        "device": device,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """package -> version, of those of PACKAGES that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def revision(checkout: Path) -> str:
    """The git commit of a checkout, "+changes" where the tree is not clean, "" outside one."""
    commit = _output("git", "rev-parse", "HEAD", folder=checkout)
    if not commit:
        return ""
    changes = _output("git", "status", "--porcelain", folder=checkout)
    return f"{commit}+changes" if changes else commit


def peak_bytes() -> int:
    """The largest resident memory of this process so far.

    Linux hands the peak of the parent on to ``ru_maxrss`` of a process that it starts, so the
    kernel's own count for this address space is read where there is one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def accelerator_peak_bytes() -> int:
    """The most accelerator memory that torch held in this process, 0 where it was not used."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return int(torch.cuda.max_memory_allocated())
