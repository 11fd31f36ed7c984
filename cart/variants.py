"""A changed CartConfig from text: any field by its dotted name, as "model.encoder_layers" -> "5".

What a field takes is read off its annotation, so that a new field needs nothing here.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from cart.config import CartConfig

NONE = "none"
_TRUTH = {"true": True, "false": False}
_WHOLE = re.compile(r"-?[0-9]{1,15}")
# By the last part of a field's name: the least and the most that mean anything. Other numbers
# need only be at least 0.
RANGES: Mapping[str, tuple[float, float]] = {
    "dropout": (0, 0.99),
    "even_ceiling": (0.01, 0.99),
    "fairness": (0, 1),
    "known_share": (0, 1),
    "label_smoothing": (0, 0.99),
    "neighbour_share": (0, 1),
    "trust": (0, 1),
    "warmup": (0, 1),
    **dict.fromkeys(
        (
            *("batch_size", "beam", "candidates", "captions_per_item", "coarse_size"),
            *("cycles",),
            *("codebook_sizes", "decoder_layers", "encoder_layers", "epochs", "feed_forward"),
            *("heads", "hidden", "latent_dim", "max_tokens", "patience", "validations"),
            *("vocabulary", "width"),
        ),
        (1, math.inf),
    ),
}


class BadChange(ValueError):
    """A change that cannot be made; the message is a sentence that says what can."""


def changed(config: CartConfig, changes: Mapping[str, str]) -> CartConfig:
    """``config`` with some fields set from text.

    changes  dotted field -> "5", "1e-3", "true", "self-gated", "128x128" or "none"

    Raises BadChange for a field that is not there, a value that it cannot take, and changes
    that do not go together.
    """
    groups: dict[str, dict[str, str]] = {}
    whole: dict[str, str] = {}
    for name, text in changes.items():
        group, dot, field = name.partition(".")
        if dot:
            groups.setdefault(group, {})[field] = text
        else:
            whole[group] = text
    hints = get_type_hints(CartConfig)
    names = field_names(config)
    for name in changes:
        if name not in names:
            raise BadChange(_unknown(name, names))
    new: dict[str, Any] = {
        name: _value(name, text, hints[name], getattr(config, name)) for name, text in whole.items()
    }
    for group, inner in groups.items():
        if group in new:
            raise BadChange(
                f"{group}={whole[group]} leaves no {group}.{next(iter(inner))} to change."
            )
        new[group] = _group(group, inner, _settings(getattr(config, group), hints[group]))
    return _coherent(replace(config, **new))


def field_names(config: CartConfig) -> tuple[str, ...]:
    """Every dotted name that ``changed`` takes, in the order of the config."""
    found = []
    for name, hint in get_type_hints(CartConfig).items():
        group = _settings(getattr(config, name), hint)
        if group is None or NoneType in get_args(hint):
            found.append(name)
        if group is not None:
            found += [f"{name}.{each.name}" for each in fields(group)]
    return tuple(found)


def text_of(value: object) -> str:
    """How a value is written: the text from which ``changed`` reads it back."""
    if value is None or value == ():
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "x".join(map(text_of, value))
    return repr(value) if isinstance(value, float) else str(value)


def _settings(value: Any, hint: Any) -> Any:
    """The dataclass behind a group of fields, as it is or as it is by default; None of a plain
    field."""
    if is_dataclass(value):
        return value
    groups = (one for one in (hint, *get_args(hint)) if is_dataclass(one))
    of = next(groups, None)
    return of() if isinstance(of, type) and _has_defaults(of) else None


def _has_defaults(kind: Any) -> bool:
    return all(
        each.default is not MISSING or each.default_factory is not MISSING for each in fields(kind)
    )


def _group(group: str, changes: Mapping[str, str], value: Any) -> Any:
    hints = get_type_hints(type(value))
    new = {
        name: _value(f"{group}.{name}", text, hints[name], getattr(value, name))
        for name, text in changes.items()
    }
    try:
        return replace(value, **new)
    except ValueError as problem:
        raise BadChange(f"{group}: {problem}") from problem


def _value(name: str, text: str, hint: Any, now: object) -> object:
    found = _read(text, hint)
    if found is _UNREADABLE:
        is_now = "" if is_dataclass(now) else f"; it is {text_of(now)} now"
        raise BadChange(f"{name}={text}: give {_kind(hint)}{is_now}.")
    least, most = RANGES.get(name.rpartition(".")[2], (0, math.inf))
    for number in found if isinstance(found, tuple) else (found,):
        if isinstance(number, int | float) and not least <= number <= most:
            bound = f"from {least:g} on" if math.isinf(most) else f"from {least:g} to {most:g}"
            raise BadChange(f"{name}={text}: give {_kind(hint)} {bound}.")
    return found


_UNREADABLE = object()


def _read(text: str, hint: Any) -> object:
    """The value, or _UNREADABLE where the annotation has none that is written so."""
    if get_origin(hint) in (Union, UnionType):
        told = (_read(text, one) for one in get_args(hint))
        return next((one for one in told if one is not _UNREADABLE), _UNREADABLE)
    if get_origin(hint) is Literal:
        named = {text_of(one): one for one in get_args(hint)}
        return named.get(text, _UNREADABLE)
    if get_origin(hint) is tuple:
        inner = [_read(part, get_args(hint)[0]) for part in text.split("x")]
        if text == NONE:
            return ()
        return _UNREADABLE if _UNREADABLE in inner else tuple(inner)
    if hint is NoneType:
        return None if text == NONE else _UNREADABLE
    if hint is bool:
        return _TRUTH.get(text, _UNREADABLE)
    if hint is int:
        return int(text) if _WHOLE.fullmatch(text) else _UNREADABLE
    if hint is float:
        return _number(text)
    return text if hint is str else _UNREADABLE


def _number(text: str) -> object:
    try:
        found = float(text)
    except ValueError:
        return _UNREADABLE
    return found if math.isfinite(found) else _UNREADABLE


def _kind(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_kind(one) for one in get_args(hint) if not is_dataclass(one))
    if get_origin(hint) is Literal:
        return " or ".join(map(text_of, get_args(hint)))
    if get_origin(hint) is tuple:
        return "whole numbers joined by x, as 128x128,"
    names = {NoneType: NONE, bool: "true or false", int: "a whole number", float: "a number"}
    return names.get(hint, "a name")


def _unknown(name: str, names: tuple[str, ...]) -> str:
    last = {each: each.rpartition(".")[2] for each in names}
    alike = difflib.get_close_matches(name.rpartition(".")[2], last.values(), n=3, cutoff=0.7)
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.8)
    near = near or [each for each in names if last[each] in alike]
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(names)}."
    return f"CART has no field {name}. {hint}"


def _coherent(config: CartConfig) -> CartConfig:
    """Raises BadChange where fields contradict each other."""
    model = config.model
    if model.width % model.heads:
        raise BadChange(
            f"model.width={model.width} cannot be shared by model.heads={model.heads}: make the "
            "width a multiple of the heads."
        )
    return config
