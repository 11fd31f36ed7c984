"""Tests of the pages made from stored results."""
