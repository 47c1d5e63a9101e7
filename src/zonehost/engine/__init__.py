"""The use cases, one verb a module. Policy only: whatever touches the world goes through a port."""
