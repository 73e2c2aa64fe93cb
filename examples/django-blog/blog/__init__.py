"""A blog for readers, with what a cache in front of it needs to know."""
