"""``python -m bench.schemas``: write the schemas of this version beside this file."""

from __future__ import annotations

from pathlib import Path

from bench.files import json_bytes
from bench.schemas.stored import schemas

FOLDER = Path(__file__).parent


def main() -> None:
    """Write each and print its name; files of earlier versions stay."""
    for name, schema in schemas().items():
        (FOLDER / name).write_bytes(json_bytes(schema) + b"\n")
        print(name)


if __name__ == "__main__":
    main()
