"""Seeds, checkpoints and devices as the command line gives them, and the folder that is run."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench.devices
from bench.checkout import CHECKOUT
from bench.devices import UnusableDevice, resolve_device
from bench.selection import UsageError, parse_checkpoints, parse_seeds, split_names
from tests.bench.processes import python


def test_names_are_listed_once() -> None:
    assert split_names(" a, b,,a ") == ["a", "b"]
    assert split_names("") == []
    assert split_names("a[b=1;c=2],d") == ["a[b=1;c=2]", "d"]


def test_seeds() -> None:
    assert parse_seeds("0, 2,1,2") == [0, 2, 1]
    for text in ("", "a", "-1", "1.5", "1;2"):
        with pytest.raises(UsageError, match="whole numbers"):
            parse_seeds(text)


def test_a_role_goes_to_every_retriever_that_has_it() -> None:
    found = parse_checkpoints("image=hub/a,aligned.text=/b c", ["tiny-dual", "aligned", "cart"])
    assert found == {
        "tiny-dual": {},
        "aligned": {"image": "hub/a", "text": "/b c"},
        "cart": {"image": "hub/a"},
    }


def test_a_retriever_s_role_goes_to_its_variants_too() -> None:
    found = parse_checkpoints("cart.image=hub/a", ["cart", "cart[search.beam=50]", "aligned"])
    assert found == {
        "cart": {"image": "hub/a"},
        "cart[search.beam=50]": {"image": "hub/a"},
        "aligned": {},
    }


@pytest.mark.parametrize(
    ("text", "retrievers", "sentence"),
    [
        ("imag=x", ["aligned"], "Did you mean image?"),
        ("scorer=x", ["aligned"], "aligned.image, aligned.text, image, text"),
        ("image=x", ["tiny-dual"], "None of them takes a checkpoint"),
        ("image", ["aligned"], "role=VALUE"),
        ("image=", ["aligned"], "role=VALUE"),
    ],
)
def test_a_checkpoint_for_nobody_is_refused(
    text: str, retrievers: list[str], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence.replace("?", r"\?")):
        parse_checkpoints(text, retrievers)


@pytest.mark.parametrize(
    ("asked", "count", "found"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_a_device(monkeypatch: pytest.MonkeyPatch, asked: str, count: int, found: str) -> None:
    monkeypatch.setattr(bench.devices, "_cuda_count", lambda: count)
    assert resolve_device(asked) == found


@pytest.mark.parametrize(
    ("asked", "count", "sentence"),
    [("tpu", 1, "is no device"), ("cuda", 0, "finds 0"), ("cuda:1", 1, "finds 1")],
)
def test_a_device_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, asked: str, count: int, sentence: str
) -> None:
    monkeypatch.setattr(bench.devices, "_cuda_count", lambda: count)
    with pytest.raises(UnusableDevice, match=sentence):
        resolve_device(asked)


def test_without_an_accelerator_torch_is_not_imported() -> None:
    line = (
        "import sys, bench.devices as d; d._may_have_cuda = lambda: False; "
        "print(d.resolve_device('auto'), 'torch' in sys.modules)"
    )
    found = python(line)
    assert found.stdout.split() == ["cpu", "False"]


def test_another_datasets_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("")
    line = f"import datasets, sys; sys.path.insert(0, {str(CHECKOUT)!r}); import bench.accuracy"
    ended = python(line, folder=tmp_path)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert "Hugging Face" in ended.stderr
    assert str(CHECKOUT) in ended.stderr
