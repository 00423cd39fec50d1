"""Canaries: what a cache does, tried through every view of it by writing to keys of our own."""
