"""Drifts of subnet CIDR reservations: D23 to D25."""

from __future__ import annotations

from sandbox.drift.catalogue import LISTED, POLICY, Drift
from sandbox.drift.play import Play

RANGE = f"{LISTED}/32"
ZONE = "eu-central-1c"


def deleted(play: Play) -> None:
    """D23: somebody tidies up."""
    play.subject = f"range {RANGE}"
    play.delete_reservation(RANGE)


def made_a_prefix(play: Play) -> None:
    """D24: somebody deletes ours and reserves the range around it for prefixes."""
    play.subject = f"address {LISTED} of {POLICY}"
    play.delete_reservation(RANGE)
    play.create_reservation(ZONE, "10.10.200.240/28", "prefix")


def prefix_deleted(play: Play) -> None:
    """D24: and deletes that again."""
    play.delete_reservation("10.10.200.240/28")


def made_anew(play: Play) -> None:
    """D25: somebody deletes it and makes it anew, tags and all: another id, the same range."""
    play.subject = f"range {RANGE}"
    tags = play.reservation_of(RANGE).tags
    play.delete_reservation(RANGE)
    play.create_reservation(ZONE, RANGE, "explicit", tags)


def made_anew_bare(play: Play) -> None:
    """D25: the same, without its tags: it is not ours any more."""
    play.subject = f"range {RANGE}"
    play.delete_reservation(RANGE)
    play.create_reservation(ZONE, RANGE, "explicit")


def bare_deleted(play: Play) -> None:
    """D25: the bare one goes, and ours is made again."""
    play.delete_reservation(RANGE)


DRIFTS = (
    Drift("D23", "a reservation is missing", deleted),
    Drift("D24", "a foreign reservation for prefixes covers the address", made_a_prefix, prefix_deleted),
    Drift("D25", "a reservation has another id, the same range and our tags", made_anew),
    Drift("D25-bare", "a reservation was made anew without our tags", made_anew_bare, bare_deleted),
)
