"""Names of variants: ``cart[model.encoder_layers=5;search.beam=50]`` is ``cart`` with two changes.

The characters are few, so that a name is safe in a table, a page, a command line and a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cart.variants import text_of

LONGEST = 500
_VARIANT = re.compile(r"([^\[\]]+)\[([^\[\]]*)\]")
_CHANGE = re.compile(r"([A-Za-z][A-Za-z0-9_.]*)=([A-Za-z0-9._+-]+)")
_BETWEEN_NAMES = re.compile(r",(?![^\[\]]*\])")


class BadVariantName(ValueError):
    """A name with brackets that cannot be read; the message says how it is written."""


def parse(name: str) -> tuple[str, Mapping[str, str]]:
    """The name of the retriever that is changed, and dotted field -> text.

    No changes for a name without brackets. Raises BadVariantName.
    """
    if "[" not in name and "]" not in name:
        return name, {}
    found = _VARIANT.fullmatch(name)
    if found is None or len(name) > LONGEST:
        raise BadVariantName(
            f"{name[:LONGEST]!r}: write a variant as NAME[field=value;field=value], "
            f"in {LONGEST} characters at most."
        )
    changes: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in found[2].split(";"))):
        change = _CHANGE.fullmatch(part)
        if change is None:
            raise BadVariantName(
                f"{name!r}: {part!r} is no change. Write field=value, several with ; between "
                "them; a value has letters, digits and . _ + - alone."
            )
        if change[1] in changes:
            raise BadVariantName(f"{name!r} changes {change[1]} twice.")
        changes[change[1]] = change[2]
    return found[1], changes


def named(base: str, changes: Mapping[str, str]) -> str:
    """The one name of a variant: its fields in alphabetical order; ``base`` without changes."""
    if not changes:
        return base
    return f"{base}[{';'.join(f'{field}={changes[field]}' for field in sorted(changes))}]"


def with_changes(name: str, changes: Mapping[str, str]) -> str:
    """A retriever or a variant of one, changed further. Raises BadVariantName."""
    base, own = parse(name)
    return named(base, {**own, **changes})


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, str]:
    """The fields of ``after`` that ``before`` has otherwise or not at all, as text."""
    absent = object()
    return {
        field: text_of(value)
        for field, value in after.items()
        if before.get(field, absent) != value
    }


def split(text: str) -> list[str]:
    """The parts of a list between commas; a comma within brackets is no end of a name."""
    return _BETWEEN_NAMES.split(text)
