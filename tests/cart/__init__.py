"""Tests of the generative model."""
