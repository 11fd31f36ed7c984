"""What all tests share."""

from __future__ import annotations

import pytest
import torch

# The tests' matrices are small: more threads only wait for each other.
torch.set_num_threads(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the benchmarks out of a plain run."""
    if config.getoption("--benchmark-only"):
        return
    reason = pytest.mark.skip(reason="a benchmark: run with --benchmark-only")
    for item in items:
        if "benchmark" in getattr(item, "fixturenames", ()):
            item.add_marker(reason)
