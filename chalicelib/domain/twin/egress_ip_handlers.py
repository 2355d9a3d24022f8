"""What the cluster manager does about one EgressIP: validate, remove, assign, and turn the difference into CPICs.

Belongs here: `reconcile`, which every trigger ends in, and the CPIC operations it orders. Does not belong here: the
triggers (`node_handlers`, `cpic_handlers`, `cluster_manager`), the choice of nodes (`assignment`).

    1. an unparsable entry stops here, with an event: what is assigned stays, nothing new comes
    2. status items that do not hold any more, and addresses no longer in the spec, are removed from the status
    3. while something is removed, only what is being moved is assigned: new addresses wait for the next pass
    4. the status is patched first (removals), then nodes are chosen, then CPICs are created, moved or deleted
    5. an address gets into the status only when its CPIC is healthy (`cpic_handlers`)
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.domain.twin.addressing import canonical
from chalicelib.domain.twin.api import CreateCpic, DeleteCpic, MoveCpic
from chalicelib.domain.twin.assignment import assign
from chalicelib.domain.twin.choices import any_order
from chalicelib.domain.twin.retries import HandlerFailed
from chalicelib.domain.twin.turn import Operation, Turn
from chalicelib.domain.twin.values import Assigned, Cpic, EgressIp, StatusItems


class EgressIpHandlers:
    """The handlers of EgressIP events, for the retry book."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def latest(self, name: str) -> EgressIp | None:
        """The object as it is now."""
        return self._turn.objects.egress_ips.get(name)

    def added(self, obj: EgressIp) -> None:
        """Handle an addition."""
        reconcile(self._turn, None, obj)

    def updated(self, old: EgressIp, new: EgressIp) -> None:
        """Handle an update: every one of them, a label is enough."""
        reconcile(self._turn, old, new)

    def deleted(self, obj: EgressIp) -> None:
        """Handle a deletion."""
        reconcile(self._turn, obj, None)


def reconcile(turn: Turn, old: EgressIp | None, new: EgressIp | None) -> None:
    """Bring one EgressIP closer to what it asks for.

    Args:
        old: Its form before an update or deletion; None for a trigger that is no change of the object itself.
        new: Its form now; None if it was deleted.

    Raises:
        HandlerFailed: The trigger is to be repeated. What was done before that stays done.
    """
    if old is None and new is not None and turn.repeat_fruitless(new):
        return
    subject = new if new is not None else old
    if subject is None:
        return
    name, said_before = subject.name, len(turn.writes)
    if new is None:
        turn.release_mark(name)
    wanted = _valid_spec(turn, name, new.spec if new else ())
    keep, remove = _validated(turn, name, subject.status, wanted)
    unassigned = wanted - {address for address, _ in keep}
    if remove:
        unassigned &= {address for address, _ in remove}
        for address, node in remove:
            turn.cache = turn.cache.free(node, address)
        if new is not None:
            turn.patch_status(new, keep)
    remove = (*remove, *_allocated_only(turn, name, _given_up(old, new) - {address for address, _ in remove}))
    add = assign(turn, name, sorted(unassigned)) if unassigned else ()
    for address, node in (*keep, *add):
        turn.cache = turn.cache.allocate(node, address, name)
    if add or remove:
        _order(turn, name, add, remove)
    elif old is None and new is not None:
        turn.note_fruitless(new, tuple(turn.writes[said_before:]))


def _valid_spec(turn: Turn, name: str, spec: Iterable[str]) -> frozenset[str]:
    valid = set()
    for text in spec:
        address = canonical(text)
        if address is None:
            why = f"egress IP: {text} for object EgressIP: {name} is not a valid IP address"
            turn.event("InvalidEgressIP", name, why)
            raise HandlerFailed(why)
        valid.add(address)
    return frozenset(valid)


def _validated(turn: Turn, name: str, items: StatusItems, wanted: frozenset[str]) -> tuple[StatusItems, StatusItems]:
    """The status items that hold, and those to be removed."""
    keep = tuple(item for item in items if item[0] in wanted and _holds(turn, name, *item))
    return keep, tuple(item for item in items if item not in keep)


def _holds(turn: Turn, name: str, address: str, node_name: str) -> bool:
    """Whether a claim of the status is valid: capacity is not looked at, so nothing is ever evicted for room."""
    node = turn.cache.nodes.get(node_name)
    if node is None or not node.usable or node.carries_for(name) > 1 or not _hosts(turn, node_name, address):
        return False
    return turn.cache.owner_of(node_name, address) == name or not turn.behaviours.cache_check


def _hosts(turn: Turn, node_name: str, address: str) -> bool:
    parsed = canonical(address)
    return parsed is not None and turn.cache.nodes[node_name].hosts(parsed)


def _given_up(old: EgressIp | None, new: EgressIp | None) -> frozenset[str]:
    """Entries that an update or deletion took out of the spec."""
    return frozenset(old.spec if old else ()) - frozenset(new.spec if new else ())


def _allocated_only(turn: Turn, name: str, addresses: frozenset[str]) -> StatusItems:
    """Those of *addresses* that are allocated but not in the status; their allocations are forgotten."""
    removed = []
    for address in sorted(addresses):
        nodes = [n for n in turn.cache.placed.get(address, ()) if turn.cache.owner_of(n, address) == name]
        if nodes:
            node = nodes[0] if len(nodes) == 1 else turn.choose("allocation to forget", nodes)
            turn.cache = turn.cache.free(node, address)
            removed.append((address, node))
    return tuple(removed)


def _order(turn: Turn, name: str, add: StatusItems, remove: StatusItems) -> None:
    """Note the operations as pending, then carry them out in Go's random order until one fails."""
    operations = {address: Operation(add=node) for address, node in add}
    for address, node in remove:
        operations[address] = Operation(add=operations.get(address, Operation()).add, delete=node)
    pending = turn.operations(name)
    for address, operation in operations.items():
        before = pending.get(address, Operation())
        # The oldest node to leave and the newest one to go to are the right ones.
        pending[address] = Operation(operation.add or before.add, before.delete or operation.delete)
    turn.set_operations(name, pending)
    failing = [address for address, operation in operations.items() if _refusal(turn, address, operation)]
    order = any_order(turn.choose, "next CPIC operation", operations) if failing else iter(operations)
    for address in order:
        _carry_out(turn, name, address, operations[address])


def _refusal(turn: Turn, address: str, operation: Operation) -> str | None:
    """Why an operation cannot be carried out now; None if it can."""
    cpic = turn.objects.cpics.get(address)
    if not operation.add:
        return None
    if operation.delete and cpic is None:
        return "could not get item"
    if cpic is None:
        return None
    if cpic.deleting:
        return "is being deleted"
    if operation.delete:
        return None
    if _failed_on_gone_node(turn, cpic):
        return "deleted failed CloudPrivateIPConfig, will retry creation in next reconciliation"
    if operation.add != cpic.spec_node:
        return f"cannot be assigned to node {operation.add} because cloud has it in node {cpic.spec_node}"
    return None


def _failed_on_gone_node(turn: Turn, cpic: Cpic) -> bool:
    if cpic.assigned is not Assigned.FALSE or not cpic.status_node or cpic.status_node in turn.objects.nodes:
        return False
    return turn.behaviours.retry_gone_node


def _carry_out(turn: Turn, name: str, address: str, operation: Operation) -> None:
    """Create, move or delete one CPIC; nothing if it exists for that node, or is gone already."""
    cpic = turn.objects.cpics.get(address)
    refusal = _refusal(turn, address, operation)
    if refusal is not None:
        if cpic is not None and not cpic.deleting and not operation.delete and _failed_on_gone_node(turn, cpic):
            what = f"egress IP: {address} previously failed on deleted node {cpic.status_node}"
            turn.event("CloudAssignmentRetry", name, f"{what} (reason: {cpic.message}), will retry assignment")
            turn.write(DeleteCpic(address))
        raise HandlerFailed(f"CloudPrivateIPConfig {address}: {refusal}")
    if operation.add and operation.delete:
        turn.write(MoveCpic(address, operation.add))
    elif operation.add and cpic is None:
        turn.write(CreateCpic(address, operation.add, name))
    elif operation.delete and cpic is not None:
        turn.write(DeleteCpic(address))
