"""What needs torchvision imports after the guard, and other failures are not hidden."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from retrievers import torchvision_guard

GUARD = "from retrievers.torchvision_guard import ensure_torchvision; ensure_torchvision();"


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True)  # noqa: S603


def test_what_needs_torchvision_imports_after_the_guard() -> None:
    done = run(
        f"{GUARD} import open_clip, torchvision; from transformers import CLIPImageProcessor;"
        "ensure_torchvision();"
        "print(callable(open_clip.create_model), CLIPImageProcessor().size['shortest_edge'])"
    )
    assert done.stdout.split() == ["True", "224"], done.stderr


def test_missing_operators_are_declared_and_the_import_tried_again(tmp_path: Path) -> None:
    """With a torchvision whose import registers for operators that are not there."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "part.py").write_text("TRIES = []\n")
    (package / "__init__.py").write_text(
        "import torch\n"
        "from torchvision import part\n"
        "part.TRIES.append(1)\n"
        "for name in ('nms', 'qnms'):\n"
        "    torch.library.register_fake('torchvision::' + name)(lambda *given: None)\n"
    )
    done = run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {GUARD}"
        "import torchvision; print(torchvision.__file__, torchvision.part.TRIES)"
    )
    assert done.stdout.split() == [str(package / "__init__.py"), "[1]"], done.stderr


def test_another_failure_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(name: str) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(importlib, "import_module", failing)
    torchvision_guard.ensure_torchvision.cache_clear()
    with pytest.raises(RuntimeError, match="the disk is full"):
        torchvision_guard.ensure_torchvision()


def test_without_torchvision_nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: asked.append(name))
    monkeypatch.setattr(importlib, "import_module", asked.append)
    torchvision_guard.ensure_torchvision.cache_clear()
    torchvision_guard.ensure_torchvision()
    torchvision_guard.ensure_torchvision.cache_clear()
    assert asked == ["torchvision"]
