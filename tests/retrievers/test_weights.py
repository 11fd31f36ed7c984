"""Files of weights and of settings: nothing in them is run, and what is not whole is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from retrievers.weights.report import CheckpointError
from retrievers.weights.settings import read_settings
from retrievers.weights.states import load_strictly, read_state

WEIGHTS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


class RunsAProgram:
    """What a pickle may hold: unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_pickle_that_would_run_a_program_is_refused_and_not_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    torch.save({**WEIGHTS, "more": RunsAProgram(ran)}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="could run a program"):
        read_state([tmp_path / "weights.pt"])
    assert not ran.exists()
    torch.load(tmp_path / "weights.pt", weights_only=False)
    assert ran.exists()


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x02}."])
def test_a_file_of_something_else_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        assert read_state([tmp_path / name], under="model")


def test_weights_may_lie_in_parts_and_under_a_name(tmp_path: Path) -> None:
    save_file({"weight": WEIGHTS["weight"]}, tmp_path / "a.safetensors")
    save_file({"bias": WEIGHTS["bias"]}, tmp_path / "b.safetensors")
    parts = read_state([tmp_path / "a.safetensors", tmp_path / "b.safetensors"])
    torch.save({"epoch": 3, "state": {"net": WEIGHTS}}, tmp_path / "nested.pt")
    nested = read_state([tmp_path / "nested.pt"], under="state.net")
    for found in (parts, nested):
        assert found.keys() == WEIGHTS.keys()
        assert all(torch.equal(found[name], one) for name, one in WEIGHTS.items())
    with pytest.raises(CheckpointError, match="holds no 'model'"):
        read_state([tmp_path / "nested.pt"], under="model")
    with pytest.raises(CheckpointError, match=r"2 \(epoch, state\) of its entries are no tensors"):
        read_state([tmp_path / "nested.pt"])


def test_a_model_takes_all_of_its_weights_or_none() -> None:
    def empty() -> nn.Linear:
        with torch.device("meta"):
            return nn.Linear(3, 2)

    model = empty()
    report = load_strictly(model, WEIGHTS, "here")
    assert (report.missing, report.unexpected, report.misfits) == ((), (), ())
    assert torch.equal(model(torch.ones(1, 3)), torch.tensor([[4.0, 13.0]]))
    wrong: dict[str, dict[str, Tensor]] = {
        r"1 \(bias\) missing": {"weight": WEIGHTS["weight"]},
        r"1 \(more\) not used": {**WEIGHTS, "more": torch.ones(1)},
        r"1 \(bias\) of another shape": {**WEIGHTS, "bias": torch.ones(3)},
    }
    for said, state in wrong.items():
        with pytest.raises(CheckpointError, match=f"here: .*{said}"):
            load_strictly(empty(), state, "here")


def test_numbers_that_no_checkpoint_holds_may_not_be_left_out() -> None:
    with torch.device("meta"):
        model = nn.Linear(3, 2)
        model.register_buffer("mask", torch.ones(3), persistent=False)
    with pytest.raises(CheckpointError, match=r"1 \(mask\) of the model were left without numbers"):
        load_strictly(model, WEIGHTS, "here")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "cannot be read as JSON"),
        (b"\xff", "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b"[]", "no settings by name"),
        (b'{"vision_config": {"num_hidden_layers": 1000000000}}', "so many"),
        (b'{"a": "' + b" " * (1 << 24) + b'"}', "too large"),
    ],
    ids=["cut", "no text", "deep", "a list", "a billion layers", "16 MiB"],
)
def test_settings_that_cannot_be_used_are_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        read_settings(tmp_path / "config.json")


def test_settings_are_what_the_file_holds(tmp_path: Path) -> None:
    told = {"num_hidden_layers": 48, "text_config": {"num_hidden_layers": 2}}
    (tmp_path / "config.json").write_text(json.dumps(told))
    assert read_settings(tmp_path / "config.json") == told
