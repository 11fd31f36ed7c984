"""What all tests share."""

from __future__ import annotations

import signal

import pytest
import torch

# The tests' matrices are small: more threads only wait for each other.
torch.set_num_threads(1)
# A shell that starts the tests in the background has them ignore Ctrl-C, and every program
# that they start would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A plain run leaves the benchmarks out, ``--benchmark-only`` all the rest."""
    benchmarks = [item for item in items if "benchmark" in getattr(item, "fixturenames", ())]
    if config.getoption("--benchmark-only"):
        config.hook.pytest_deselected(items=[item for item in items if item not in benchmarks])
        items[:] = benchmarks
        return
    reason = pytest.mark.skip(reason="a benchmark: run with --benchmark-only")
    for item in benchmarks:
        item.add_marker(reason)
