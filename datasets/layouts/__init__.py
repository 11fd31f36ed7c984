"""Parsers of published annotation files, one a layout; no media file is opened here."""
