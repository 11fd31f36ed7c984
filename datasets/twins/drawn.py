"""Procedural twins: drawn on first use and kept."""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

RECORD = "drawn.json"
DRAWN_WITH = ("numpy", "pillow", "soundfile", "av")


class Told(Protocol):
    """A caption of an item, and what it claims."""

    @property
    def text(self) -> str: ...
    @property
    def meaning(self) -> Any: ...


class Example(Protocol):
    """An item without its media file."""

    @property
    def captions(self) -> Sequence[Told]: ...


class Maker(Protocol):
    """What a module that draws a twin offers.

    SHARES  split -> its share of the items, that of the test items last
    """

    DEFAULT_ITEMS: int
    DEFAULT_SEED: int
    SHARES: Mapping[str, float]

    def example(self, seed: int, split: str, place: int) -> Example:
        """The item at ``place`` of a split, without its media file."""
        ...

    def make(self, folder: Path, items: int, seed: int, *, workers: int | None = None) -> None:
        """Write a twin of any size in its dataset's own layout; equal seeds, equal files.

        Raises ValueError when there are too few items for the splits.
        """
        ...


@dataclass(frozen=True)
class Size:
    """What a twin was drawn with: the items of all splits together, and the seed."""

    items: int
    seed: int


def default_size(maker: str) -> Size:
    """What a twin is drawn with on first use."""
    module = maker_module(maker)
    return Size(module.DEFAULT_ITEMS, module.DEFAULT_SEED)


def record(folder: Path, size: Size) -> None:
    """Write beside a twin what it was drawn with."""
    (folder / RECORD).write_text(json.dumps(asdict(size)), encoding="utf-8")


def recorded(folder: Path) -> Size | None:
    """What a twin was drawn with, None where that is not recorded or not readable."""
    try:
        found = Size(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    whole = all(type(value) is int and value >= 0 for value in asdict(found).values())
    return found if whole else None


def twin_folder(name: str, maker: str, *, cache: Path) -> Path:
    """The folder of a twin, made if it is not there yet.

    maker  module that meets ``Maker``

    It is ``cache/twins/<name>-<items>-<seed>-<code>``, where code is a digest of the source that
    draws it, so that an older drawing is not taken for a newer one. A run that is stopped
    leaves no half of it.
    """
    module, size = maker_module(maker), default_size(maker)
    items, seed = size.items, size.seed
    folder = cache / "twins" / f"{name}-{items}-{seed}-{code_of(maker)}"
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


def code_of(*modules: str) -> str:
    """8 hexadecimal digits over the source of modules, of what they import, and of packages."""
    state = hashlib.blake2b(digest_size=4)
    sources: set[Path] = set()
    for module in modules:
        _sources(module, sources)
    for path in sorted(sources):
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
