"""How much memory and disk there is to measure in."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class _Group:
    """The files in which a container's limit stands, of the two forms of control groups."""

    limit: Path
    used: Path
    statistics: Path
    # Pages of files that were read, which give way to whoever wants memory.
    reclaimable: str


_ROOT = Path("/sys/fs/cgroup")
_GROUPS = (
    _Group(_ROOT / "memory.max", _ROOT / "memory.current", _ROOT / "memory.stat", "inactive_file"),
    _Group(
        _ROOT / "memory/memory.limit_in_bytes",
        _ROOT / "memory/memory.usage_in_bytes",
        _ROOT / "memory/memory.stat",
        "total_inactive_file",
    ),
)


def free_host_bytes() -> int:
    """Memory that a new process can have without swapping, within the limit of a container."""
    return min([_available(), *_left_in_container()])


def free_device_bytes(device: str) -> int | None:
    """Free memory of "cuda" or "cuda:N"; None where the driver does not tell."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    number = device.partition(":")[2] or "0"
    try:
        told = subprocess.run(  # noqa: S603
            [*query, f"--id={number}"], capture_output=True, text=True, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    first = told.stdout.strip().partition("\n")[0]
    return int(first) << 20 if told.returncode == 0 and first.isdecimal() else None


def _available() -> int:
    memory = Path("/proc/meminfo")
    if memory.is_file():
        for line in memory.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _left_in_container() -> list[int]:
    found = []
    for group in _GROUPS:
        try:
            limit, used = group.limit.read_text().strip(), group.used.read_text().strip()
            statistics = dict(line.split() for line in group.statistics.read_text().splitlines())
        except OSError:
            continue
        if limit.isdecimal():
            held = int(used) - int(statistics.get(group.reclaimable, 0))
            found.append(max(0, int(limit) - held))
    return found
