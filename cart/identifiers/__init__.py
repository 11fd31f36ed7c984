"""From item embeddings to identifiers (k, v1, ..., vM, u); section 3.2."""

from __future__ import annotations

from collections.abc import Sequence

from cart.code_sizes import even_ceiling, sizes_for
from cart.config import IdentifierConfig
from cart.identifiers.assignment import assign, assign_together
from cart.identifiers.counters import identifiers, unique_tokens
from cart.identifiers.figures import (
    collision_ceiling,
    collision_rate,
    items_by_prefix,
    perplexity,
    unexplained_variance,
    used_share,
)
from cart.identifiers.fitting import FITTED_ITEMS, fit_quantizers
from cart.identifiers.quantizers import Quantizers
from cart.identifiers.storing import restored


def level_sizes(config: IdentifierConfig, unique: int) -> Sequence[int]:
    """Vocabulary of each identifier position, the counter's being ``unique``."""
    return (*config.sizes, unique)


__all__ = [
    "FITTED_ITEMS",
    "Quantizers",
    "assign",
    "assign_together",
    "collision_ceiling",
    "collision_rate",
    "even_ceiling",
    "fit_quantizers",
    "identifiers",
    "items_by_prefix",
    "level_sizes",
    "perplexity",
    "restored",
    "sizes_for",
    "unexplained_variance",
    "unique_tokens",
    "used_share",
]
