"""The parts that touch the world, each behind one port. Drivers are strangers to each other."""
