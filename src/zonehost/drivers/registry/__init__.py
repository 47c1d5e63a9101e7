"""Registries over the OCI distribution protocol (specification 1.1) and Docker's schema 2. Knows no image store."""
