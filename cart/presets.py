"""What the paper states of CART, as configurations; where it is silent, the defaults stand."""

from __future__ import annotations

from cart.config import CaptionConfig, CartConfig, IdentifierConfig, ModelConfig, TrainConfig

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

# The cycles' length, and with it the number of epochs, is a guess, as are those of ``PAPER``.
PAPER_TRAINING = TrainConfig(
    epochs=60,
    least_steps=0,
    batch_size=256,
    learning_rate=1e-4,
    schedule="restarts",
    cycles=2,
    warmup=5 / 30,
    weight_decay=0.0,
    beta2=0.999,
    clip=None,
    consistency="decoder",
    consistency_weight=0.15,
    captions_per_item=100,
)

# Sections 3.4 and 4.2 and appendix C. Of the model they tell the layers. Width, heads, feed-forward
# and dropout are guesses: those of the meshed-memory transformer, whose fusion CART's follows.
# Gallery items are learned after the training pairs, not in one training with them.
PAPER = CartConfig(
    identifiers=PAPER_IDENTIFIERS,
    model=ModelConfig(
        width=512,
        heads=8,
        feed_forward=2048,
        encoder_layers=3,
        decoder_layers=3,
        dropout=0.1,
        coarse_gate="sigmoid",
        fine_fusion=True,
    ),
    fit=PAPER_TRAINING,
    absorb=PAPER_TRAINING,
    captions=CaptionConfig(lending="asked"),
    teacher=None,
    known_share=1.0,
)
