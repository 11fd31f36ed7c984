"""Draw a validation split out of the training items of a release that has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from datasets.annotations import AnnotatedItem
from datasets.seeded_split import drawn_order

SEED = 0


def draw_validation(
    items: Sequence[AnnotatedItem], most: int
) -> tuple[tuple[AnnotatedItem, ...], int]:
    """The items with ``most`` of them in validation, or a tenth of fewer; and how many that is.

    The draw depends on the ids and ``SEED`` alone (see ``datasets.seeded_split``).
    """
    size = min(most, len(items) // 10)
    chosen = set(drawn_order((item.id for item in items), SEED)[:size])
    return tuple(
        replace(item, split="validation") if item.id in chosen else item for item in items
    ), size
