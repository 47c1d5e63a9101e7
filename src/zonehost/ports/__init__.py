"""What the engine needs of the world: one Protocol a file, with obligations, idempotence and errors."""
