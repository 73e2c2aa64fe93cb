"""Models to watch."""
