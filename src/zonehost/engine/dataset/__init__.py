"""Verbs on the pool and on the datasets in it: what Docker has no words for."""
