"""Tests, against a real HTTP server that verifies signatures."""
