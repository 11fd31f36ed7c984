"""Characters that cannot be seen, made visible."""

from __future__ import annotations

import unicodedata


def visible(text: str, kept: str = "\n\t") -> str:
    """Text with characters that cannot be seen written as escapes, those of ``kept`` excepted.

    For commands, names and paths, where a hidden direction mark could make the eye read
    something other than what is copied, and an escape could steer a terminal.
    """
    return "".join(
        f"\\u{{{ord(letter):x}}}"
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs") and letter not in kept
        else letter
        for letter in text
    )
