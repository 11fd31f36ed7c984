"""JSON Schemas of what is stored, derived from the dataclasses that write it.

A file is named after what it is of and the version of that: ``cell-3.schema.json``.
``python -m bench.schemas`` writes them anew.
"""
