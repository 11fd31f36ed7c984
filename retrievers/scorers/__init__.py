"""Single towers: networks that score a text and an item together."""
