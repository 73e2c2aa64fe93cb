"""Articles for a blog that has none: words, patterns, and a die that always falls the same way."""
