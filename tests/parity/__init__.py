"""Each adapter against the public source of its system, with the same random weights.

The comparisons with upstream are opt-in: ``RETRIEVAL_TEST_UPSTREAM`` names a folder that holds
their sources, a folder each (ImageBind, LAVIS, ...), and ``RETRIEVAL_TEST_PEERS`` one where
environments for upstream packages may be made. With ``RETRIEVAL_WRITE_GOLDEN=1`` they also write
``golden/NAME.json``, which the default run compares to. ``python -m tests.parity`` prints the
table of what was compared.
"""
