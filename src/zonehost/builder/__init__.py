"""From a Dockerfile to an image: parse, plan, execute."""
