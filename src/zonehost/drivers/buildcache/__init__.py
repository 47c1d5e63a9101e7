"""Cached steps of builds as small files, one a key. Losing one costs a step, never an image."""
