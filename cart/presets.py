"""What the paper states of CART, as configurations; where it is silent, the defaults stand."""

from __future__ import annotations

from cart.config import IdentifierConfig

# Appendix C. The batch size is that of section 4.2, which does not say for which training it is.
PAPER_IDENTIFIERS = IdentifierConfig(
    coarse_size=128,
    codebook_sizes=(128, 128),
    hidden=(512, 256, 128),
    latent_dim=64,
    epochs=500,
    batch_size=256,
    initial_rate=1e-6,
    learning_rate=1e-4,
    warmup_epochs=300,
    decay="inverse-square-root",
)
