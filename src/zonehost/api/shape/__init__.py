"""Records as Docker's JSON: one module a thing. Pure: from what the engine answers to what is encoded."""
