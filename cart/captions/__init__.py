"""Caption enhancement: queries for items that have no caption of their own (section 3.3)."""

from cart.captions.neighbours import NeighbourCaptioner
from cart.captions.offered import OfferingCaptioner
from cart.captions.pairs import Captioned, Generated

__all__ = ["Captioned", "Generated", "NeighbourCaptioner", "OfferingCaptioner"]
