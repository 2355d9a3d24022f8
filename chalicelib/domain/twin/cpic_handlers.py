"""What the cluster manager does when a CloudPrivateIPConfig changes: status in, status out, who else may now be served.

Belongs here: the handling of CPIC events. Does not belong here: what CNCC does to a CPIC (`cncc_cpics`).

    True, and status.node is spec.node            → the address gets into the EgressIP's status
    deleted, or status.node empty or changed, True → it gets out of it; then objects with unassigned addresses, and (in
                                                     newer releases) the owner itself, are reconciled
A removal that nobody ordered (no pending operation) takes the address out of the status and then fails: the owner is
not reconciled, and the failure stays in the retry book.
"""

from __future__ import annotations

from chalicelib.domain.twin.egress_ip_handlers import reconcile
from chalicelib.domain.twin.retries import HandlerFailed
from chalicelib.domain.twin.turn import Turn
from chalicelib.domain.twin.values import Assigned, Cpic, EgressIp


class CpicHandlers:
    """The handlers of CPIC events, for the retry book."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def latest(self, name: str) -> Cpic | None:
        """The object as it is now."""
        return self._turn.objects.cpics.get(name)

    def added(self, obj: Cpic) -> None:
        """Handle an addition."""
        self._reconcile(None, obj)

    def updated(self, old: Cpic, new: Cpic) -> None:
        """Handle an update."""
        self._reconcile(old, new)

    def deleted(self, obj: Cpic) -> None:
        """Handle a deletion."""
        self._reconcile(obj, None)

    def _reconcile(self, old: Cpic | None, new: Cpic | None) -> None:
        if (old.status if old else _NO_STATUS) == (new.status if new else _NO_STATUS):
            return
        if old is not None and old.owner is not None:
            if new is None:
                self._left(old, old.owner, old.spec_node)
            elif new.assigned is Assigned.TRUE and old.status_node not in ("", new.status_node):
                self._left(old, old.owner, old.status_node)
        if new is not None and new.owner is not None and _healthy(new):
            self._arrived(new, new.owner)

    def _left(self, cpic: Cpic, owner: str, node: str) -> None:
        """The address is gone from *node*: out of the status, then look who else can be served."""
        turn = self._turn
        seen = turn.objects.egress_ips.get(owner)
        if seen is not None:
            turn.patch_status(seen, tuple(item for item in seen.status if item != (cpic.address, node)))
        for egress_ip in self._to_resynchronise(owner, cpic.address):
            reconcile(turn, None, egress_ip)

    def _to_resynchronise(self, owner: str, address: str) -> list[EgressIp]:
        """The objects that may be served now, by name; the finished deletion is no longer pending.

        Raises:
            HandlerFailed: Nothing was pending for the address.
        """
        turn = self._turn
        operations = turn.operations(owner)
        operation = operations.get(address)
        if operation is None:
            raise HandlerFailed(f"no pending operation found for {address} of EgressIP {owner}")
        if operation.delete and not operation.add:
            del operations[address]
            turn.set_operations(owner, operations)
        seen = turn.objects.egress_ips.get(owner)
        again = [seen] if seen and address in seen.spec and turn.behaviours.resync_owner else []
        waiting = [e for e in turn.objects.egress_ips.values() if len(e.spec) > len(e.status) and e.name != owner]
        again += [e for e in waiting if len(e.spec) - len(e.status) > len(turn.pending.get(e.name, ()))]
        return sorted(again, key=lambda egress_ip: egress_ip.name)

    def _arrived(self, cpic: Cpic, owner: str) -> None:
        """The address serves: into the status, and no longer pending."""
        turn = self._turn
        seen = turn.objects.egress_ips.get(owner)
        if seen is None:
            raise HandlerFailed(f"EgressIP {owner} of CloudPrivateIPConfig {cpic.address} does not exist")
        item = (cpic.address, cpic.status_node)
        if item not in seen.status:
            turn.patch_status(seen, (*seen.status, item))
        operations = turn.operations(owner)
        operation = operations.get(cpic.address)
        if operation is not None and operation.add:
            del operations[cpic.address]
            turn.set_operations(owner, operations)


_NO_STATUS = ("", None, None, None)


def _healthy(cpic: Cpic) -> bool:
    return cpic.assigned is Assigned.TRUE and cpic.status_node == cpic.spec_node
