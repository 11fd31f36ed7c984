"""What long work tells of itself while it goes on."""

from __future__ import annotations

from collections.abc import Callable

# Told (label, done, total) after each unit of work.
Monitor = Callable[[str, int, int], None]
