"""The rows by name, and any other by its full name."""

from __future__ import annotations

import importlib
from typing import cast

from retrievers.serving import rows
from retrievers.serving.contract import ServedClass, ServedRow


def served_row(name: str) -> ServedRow:
    """The row of this name, or what ``package.module:Object`` names: a ServedRow or its class.

    Raises retrievers.serving.rows.UnknownRow.
    """
    module = name.partition(":")[0]
    if "." not in module:
        return rows.row(name)
    found = _load(name)
    if isinstance(found, ServedRow):
        return found
    return ServedRow(name=name, target=name, system="", paradigm="dual tower", form="named in full")


def served_class(row: ServedRow) -> ServedClass:
    """What makes the row; its module is imported here. Raises rows.UnknownRow."""
    return cast(ServedClass, _load(row.target))


def _load(target: str) -> object:
    module, _, name = target.partition(":")
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as problem:
        if problem.name is None or not f"{module}.".startswith(f"{problem.name}."):
            raise
        raise rows.UnknownRow(f"{target!r} names no module: {problem}") from problem
    if not hasattr(loaded, name):
        raise rows.UnknownRow(f"The module {module!r} has no {name!r}.")
    return cast(object, getattr(loaded, name))
