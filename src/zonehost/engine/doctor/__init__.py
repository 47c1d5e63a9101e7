"""Comparing state with the world, and bringing the world back to the state."""
