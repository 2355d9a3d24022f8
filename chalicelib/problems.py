"""Errors that the caller can mend, as opposed to trouble outside (`adapters.errors`)."""

from __future__ import annotations


class BadInput(Exception):
    """An argument, body or file is wrong; the message names the field, the value and what is allowed."""


class NoSuchThing(Exception):
    """A cluster or run of that name does not exist; the message names what does."""
