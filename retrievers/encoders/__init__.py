"""Encoders: one family of towers a module, all meeting ``retrievers.base.Encoder``."""
