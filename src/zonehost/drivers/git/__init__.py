"""Git repositories elsewhere, read with the ordinary git command."""
