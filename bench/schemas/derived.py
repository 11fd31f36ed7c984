"""The JSON Schema of a dataclass as ``dataclasses.asdict`` and ``json`` write it.

Descriptions are taken from its docstring: the first paragraph is of the class, and a line of
the form "name  what it is" of a field.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCALARS: Mapping[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
_FIELD = re.compile(r"(\w+)\s+(\S.*)")


def document(name: str, title: str, root: Schema, *kinds: type) -> Schema:
    """A schema that stands by itself.

    root  may refer to ``kinds`` and to whatever their fields hold
    """
    definitions: dict[str, Schema] = {}
    for kind in kinds:
        _define(kind, definitions)
    return {
        "$schema": DIALECT,
        "$id": name,
        "title": title,
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def reference(kind: type) -> Schema:
    return {"$ref": f"#/$defs/{kind.__name__}"}


def record(description: str, properties: Mapping[str, Schema]) -> Schema:
    """An object that has all of these and nothing else."""
    return {
        "description": description,
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def properties_of(kind: type) -> dict[str, Schema]:
    """Field -> its schema with its description."""
    told, hints = _told(kind), get_type_hints(kind)
    return {
        field.name: {**_typed(hints[field.name]), **told.get(field.name, {})}
        for field in fields(kind)
    }


def summary_of(kind: type) -> str:
    """The first paragraph of a docstring."""
    return _plain(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0])


def parts_of(kind: type) -> list[type]:
    """The dataclasses that its fields hold."""
    return [inner for hint in get_type_hints(kind).values() for inner in _dataclasses(hint)]


def _define(kind: type, definitions: dict[str, Schema]) -> None:
    if kind.__name__ in definitions:
        return
    definitions[kind.__name__] = record(summary_of(kind), properties_of(kind))
    for inner in parts_of(kind):
        _define(inner, definitions)


def _dataclasses(hint: Any) -> list[type]:
    if isinstance(hint, type) and is_dataclass(hint):
        return [hint]
    return [each for inner in get_args(hint) for each in _dataclasses(inner)]


def _typed(hint: Any) -> Schema:
    """Raises TypeError for a type that JSON has no form of."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    if isinstance(hint, type) and is_dataclass(hint):
        return reference(hint)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return _one_of(inner)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _typed(inner[1])}
    if origin is tuple and inner[1:] == (...,):
        return {"type": "array", "items": _typed(inner[0])}
    if origin is np.ndarray:
        return {"type": "array", "items": {"type": "integer"}}
    raise TypeError(f"{hint} has no form in JSON")


def _one_of(choices: tuple[Any, ...]) -> Schema:
    found = [_typed(each) for each in choices]
    if all(list(each) == ["enum"] for each in found):
        return {"enum": [value for each in found for value in each["enum"]]}
    if all(isinstance(each.get("type"), str) and len(each) == 1 for each in found):
        kinds = [each["type"] for each in found]
        # Every integer is a number.
        return {"type": [kind for kind in kinds if kind != "integer" or "number" not in kinds]}
    return {"anyOf": found}


def _told(kind: type) -> dict[str, Schema]:
    """Field -> its description, where the docstring has a line of it."""
    names = {field.name for field in fields(kind)}
    found: dict[str, str] = {}
    last = ""
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        match = _FIELD.fullmatch(line)
        if match and match[1] in names and line[len(match[1]) : len(match[1]) + 2] == "  ":
            last = match[1]
            found[last] = match[2]
        elif last and line.startswith("    "):
            found[last] += f" {line.strip()}"
        else:
            last = ""
    return {name: {"description": _plain(text)} for name, text in found.items()}


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "").split())
