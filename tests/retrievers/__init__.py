"""Tests of the retrievers."""
