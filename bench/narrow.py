"""Long names in narrow columns: parted where a reader would, never inside a number."""

from __future__ import annotations

import re

# After a sign that joins, but for the point and the dash of a number.
_PART = re.compile(r"(?<=[\[\](;:,/_= ])|(?<=[.\-])(?=[^\d\s])")


def folded(text: str, width: int) -> str:
    """``text`` in lines of at most ``width`` characters; a part that is longer stays whole.

    As "cart[model.encoder_" over "layers=5;search." over "beam=50]".
    """
    lines: list[str] = []
    for part in filter(None, _PART.split(text)):
        if lines and len(lines[-1]) + len(part.rstrip()) <= width:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(line.rstrip() for line in lines)
