"""The views: pages for everybody, pages for one reader, and what machines read."""
