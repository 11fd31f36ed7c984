"""Procedural twins: drawn on first use and kept."""

from __future__ import annotations

import ast
import hashlib
import importlib
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

DRAWN_WITH = ("numpy", "pillow", "soundfile", "av")


class Maker(Protocol):
    """What a module that draws a twin offers."""

    DEFAULT_ITEMS: int
    DEFAULT_SEED: int

    def make(self, folder: Path, items: int, seed: int, *, workers: int | None = None) -> None:
        """Write a twin of any size in its dataset's own layout; equal seeds, equal files.

        Raises ValueError when there are too few items for the splits.
        """
        ...


def twin_folder(name: str, maker: str, *, cache: Path) -> Path:
    """The folder of a twin, made if it is not there yet.

    maker  module that meets ``Maker``

    It is ``cache/twins/<name>-<items>-<seed>-<code>``, where code is a digest of the source that
    draws it, so that an older drawing is not taken for a newer one. A run that is stopped
    leaves no half of it.
    """
    module = maker_module(maker)
    items, seed = module.DEFAULT_ITEMS, module.DEFAULT_SEED
    folder = cache / "twins" / f"{name}-{items}-{seed}-{_code(maker)}"
    if folder.is_dir():
        return folder
    try:
        write_whole(folder, lambda draft: module.make(draft, items, seed))
    except OSError:
        # Another process may have drawn the same twin meanwhile; it is as good as ours.
        if not folder.is_dir():
            raise
    return folder


def write_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Have ``write`` fill a hidden folder beside ``folder``, then give it that name.

    A ``write`` that fails or is interrupted leaves nothing behind. Raises OSError, among others
    when ``folder`` is there already and not empty.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(draft)
        draft.chmod(0o755)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def maker_module(maker: str) -> Maker:
    """The module that draws a twin, imported now."""
    return cast(Maker, importlib.import_module(maker))


def _code(maker: str) -> str:
    state = hashlib.blake2b(digest_size=4)
    for path in sorted(_sources(maker, set())):
        state.update(path.read_bytes())
    for package in DRAWN_WITH:
        state.update(f"{package} {version(package)}".encode())
    return state.hexdigest()


def _sources(module: str, seen: set[Path]) -> set[Path]:
    """The files of a module and of those of its package that it imports."""
    spec = find_spec(module)
    path = Path(spec.origin) if spec is not None and spec.origin is not None else None
    if path is None or path in seen:
        return seen
    seen.add(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and _same_package(node.module, module):
            _sources(node.module, seen)
    return seen


def _same_package(one: str, other: str) -> bool:
    return one.partition(".")[0] == other.partition(".")[0]
