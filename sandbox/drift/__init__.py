"""The 28 drifts of the catalogue, each caused where life causes it, to be played by hand and by the tests.

`DRIFTS` has them by number. A cause acts on EC2, on the cluster API, on pools and controllers, never on the product.
"""

from sandbox.drift import addresses, nodes, objects, reservations
from sandbox.drift.catalogue import Drift
from sandbox.drift.play import Play


def _in_order(drift: Drift) -> tuple[int, str]:
    number, _, way = drift.number[1:].partition("-")
    return int(number), way


DRIFTS = {
    drift.number: drift
    for drift in sorted((*nodes.DRIFTS, *objects.DRIFTS, *reservations.DRIFTS, *addresses.DRIFTS), key=_in_order)
}

__all__ = ["DRIFTS", "Drift", "Play"]
