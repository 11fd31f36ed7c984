"""The parity table: what each adapter was compared to, and the largest difference."""

from __future__ import annotations

from tests.parity.goldens import FOLDER, Golden, read

HEAD = """\
# Parity: each adapter beside the public code of its system

Weights could not be had, so the same random ones went into both: upstream's model was built at a
small configuration, filled with seeded numbers and saved in the released layout; that file was
opened through our adapter, and both were given the same pictures, sounds, clips and texts. The
difference is the largest absolute one over all numbers compared, in fp32; vectors have length 1
where the system's have.

A few of upstream's numbers are kept in `tests/parity/golden/`; every run of the tests compares
with them. The comparison itself is run by `pytest -m parity` where `RETRIEVAL_TEST_UPSTREAM` and
`RETRIEVAL_TEST_PEERS` say where sources and environments are, and
`python -m tests.parity > retrievers/PARITY.md` writes this page.

| system | upstream | version | largest difference | compared |
|---|---|---|---|---|
"""


def table() -> str:
    """The page, in Markdown."""
    golden = [read(path.stem) for path in sorted(FOLDER.glob("*.json"))]
    return HEAD + "".join(f"{_row(one)}\n" for one in golden)


def _row(one: Golden) -> str:
    version = one.version[:7] if len(one.version) == 40 else one.version
    return f"| {one.system} | {one.upstream} | {version} | {one.difference:.1e} | {one.compared} |"


if __name__ == "__main__":
    print(table(), end="")
