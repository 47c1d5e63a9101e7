"""What a daemon does when it comes: it reads state and kernel once, finishes or undoes, and sweeps the rest."""
