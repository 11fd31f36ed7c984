"""A digest of the source that decides a result, so that no result outlives its code.

It is taken over the syntax tree without docstrings: comments, wording and layout change nothing.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from bench.checkout import CHECKOUT

DECIDING = (
    "cart",
    "datasets",
    "retrievers",
    "bench/caption_check.py",
    "bench/directions.py",
    "bench/galleries.py",
    "bench/measure.py",
    "bench/metrics.py",
    "bench/pace.py",
    "bench/ranking_check.py",
    "bench/statistics.py",
)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return tree


def source_digest(source: str) -> str:
    """32 hexadecimal digits of one module's meaning. Raises SyntaxError."""
    text = ast.dump(_without_docstrings(ast.parse(source)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _sources(root: Path, parts: Iterable[str]) -> list[Path]:
    found = []
    for part in parts:
        path = root / part
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [path for path in found if path.is_file()]


def tree_digest(root: Path, parts: Iterable[str]) -> str:
    """Digest of the Python files ``parts`` of ``root``: their places and their meaning."""
    whole = hashlib.blake2b(digest_size=16)
    for path in _sources(root, parts):
        state = path.stat()
        digest = _file_digest(path, state.st_size, state.st_mtime_ns)
        whole.update(f"{path.relative_to(root).as_posix()} {digest}\n".encode())
    return whole.hexdigest()


@cache
def _file_digest(path: Path, size: int, mtime_ns: int) -> str:
    """Of a file as it is now: a plan asks for the same tree once a retriever."""
    return source_digest(path.read_text(encoding="utf-8"))


def code_digest(target: str = "", deciding: Sequence[str] = DECIDING) -> str:
    """Digest of this program, and of the module of a retriever named "package.module:Object".

    deciding  files and folders of the checkout that are this program
    """
    ours = tree_digest(CHECKOUT, deciding)
    module, separator, _ = target.partition(":")
    origin = importlib.util.find_spec(module) if separator else None
    if origin is None or origin.origin is None:
        return ours
    path = Path(origin.origin)
    if path.suffix != ".py" or any(path.is_relative_to(CHECKOUT / part) for part in deciding):
        return ours
    theirs = source_digest(path.read_text(encoding="utf-8"))
    return hashlib.blake2b(f"{ours} {theirs}".encode(), digest_size=16).hexdigest()
