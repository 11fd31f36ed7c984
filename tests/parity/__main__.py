"""The parity table: what each adapter was compared to, and the largest difference."""

from __future__ import annotations

from tests.parity.goldens import FOLDER, read


def main() -> None:
    print("| system | upstream | version | largest difference | compared |")
    print("|---|---|---|---|---|")
    for path in sorted(FOLDER.glob("*.json")):
        one = read(path.stem)
        print(
            f"| {one.system} | {one.upstream} | {one.version} | {one.difference:.1e} "
            f"| {one.compared} |"
        )


if __name__ == "__main__":
    main()
