"""Studies: a file for each, and what runs them."""
