"""What builds need of the engine. How an image is built, the builder knows."""
