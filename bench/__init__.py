"""Comparisons with what a user would do instead, on one machine and in one run: `python -m bench`."""
