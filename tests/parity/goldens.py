"""What upstream gave: the layout of its weights and a few of its numbers, kept as JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.parity.seeded import Shapes

FOLDER = Path(__file__).parent / "golden"
UPSTREAM = "RETRIEVAL_TEST_UPSTREAM"
PEERS = "RETRIEVAL_TEST_PEERS"
# Released in fp32; what is left is the order of sums.
TOLERANCE = 1e-4
_KEPT = 24

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Golden:
    """One comparison with upstream.

    system      the adapter's name
    upstream    the repository or package, and ``version`` its commit or release
    compared    what was compared, a few words
    difference  the largest absolute difference that was found, in fp32
    shapes      the released layout of the weights at the small configuration
    numbers     output -> the first numbers of what upstream gave, flattened
    """

    system: str
    upstream: str
    version: str
    compared: str
    difference: float
    shapes: Shapes = field(default_factory=dict)
    numbers: Mapping[str, list[float]] = field(default_factory=dict)


def upstream_source(name: str) -> Path:
    """The folder of an upstream source; skips the test where it is not given."""
    root = os.environ.get(UPSTREAM)
    if not root:
        pytest.skip(f"{UPSTREAM} is not set")
    folder = Path(root) / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


def peers() -> Path:
    """The folder of environments for upstream packages; skips where it is not given."""
    root = os.environ.get(PEERS)
    if not root:
        pytest.skip(f"{PEERS} is not set")
    return Path(root)


def run_peer(environment: str, module: str, *arguments: object) -> None:
    """Run a module of these tests by the Python of an environment for upstream packages.

    Skips the test where there is no such environment.
    """
    python = peers() / environment / "bin" / "python"
    if not python.is_file():
        pytest.skip(f"{python} is not there")
    root = Path(__file__).parents[2]
    subprocess.run(  # noqa: S603
        [python, "-W", "ignore", "-m", module, *map(str, arguments)],
        check=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1"},
    )


def largest_difference(ours: Mapping[str, FloatArray], theirs: Mapping[str, FloatArray]) -> float:
    """Over all outputs. Fails where names or shapes differ, or theirs are all but constant."""
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        assert ours[name].shape == array.shape, name
        assert array.size == 1 or float(np.std(array)) > 1e-3, f"{name} does not vary"
    return max(float(np.abs(ours[name] - theirs[name]).max()) for name in theirs)


def kept(outputs: Mapping[str, FloatArray]) -> dict[str, list[float]]:
    """The numbers of each output that a golden file holds, evenly spread over it."""
    found = {}
    for name, array in outputs.items():
        flat = np.asarray(array, np.float64).ravel()
        rows = np.unique(np.linspace(0, flat.size - 1, min(_KEPT, flat.size)).astype(int))
        found[name] = [round(float(flat[row]), 7) for row in rows]
    return found


def conclude(golden: Golden) -> None:
    """Assert that the difference is small, and write the file where that was asked for."""
    assert golden.difference < TOLERANCE, golden.difference
    if os.environ.get("RETRIEVAL_WRITE_GOLDEN"):
        FOLDER.mkdir(exist_ok=True)
        lines = [
            f"{json.dumps(name)}: {json.dumps(value)}" for name, value in asdict(golden).items()
        ]
        text = ",\n ".join(lines)
        (FOLDER / f"{golden.system}.json").write_text(f"{{{text}}}\n", encoding="utf-8")


def read(system: str) -> Golden:
    return Golden(**json.loads((FOLDER / f"{system}.json").read_text(encoding="utf-8")))


def assert_close(outputs: Mapping[str, FloatArray], golden: Golden) -> None:
    """Our outputs against the numbers that upstream gave."""
    ours = kept(outputs)
    assert ours.keys() == golden.numbers.keys()
    for name, numbers in golden.numbers.items():
        np.testing.assert_allclose(ours[name], numbers, rtol=0, atol=2 * TOLERANCE, err_msg=name)
