"""Upstream's modules for a while, and nothing of them after."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from retrievers.torchvision_guard import ensure_torchvision


@contextmanager
def borrowed(folders: Sequence[Path], stand_ins: Mapping[str, ModuleType]) -> Iterator[None]:
    """Modules are sought in ``folders`` too, and ``stand_ins`` serve for what they import."""
    ensure_torchvision()
    before, path = {name: sys.modules.get(name) for name in stand_ins}, list(sys.path)
    sys.path.extend(map(str, folders))
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        sys.path[:] = path
        for name, module in list(sys.modules.items()):
            if any(Path(place).is_relative_to(one) for place in _places(module) for one in folders):
                del sys.modules[name]
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


def module(name: str, **holds: Any) -> ModuleType:
    """A module that holds no more than this."""
    made = ModuleType(name)
    vars(made).update(holds)
    return made


def package(name: str, folder: Path) -> ModuleType:
    """A package of the modules in ``folder`` whose own first lines are not run."""
    return module(name, __path__=[str(folder)])


def _places(module: ModuleType) -> Sequence[str]:
    file = getattr(module, "__file__", None)
    return [file] if file else [str(one) for one in getattr(module, "__path__", ())]
