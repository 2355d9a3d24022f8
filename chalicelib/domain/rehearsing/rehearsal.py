"""Rehearsal: try a plan on the twin before it touches the cluster, as every release that the cluster may run would go.

Belongs here: what is tried, and what speaks against a plan. Does not belong here: how a snapshot becomes a world
(`twinning`), one run (`runs`), what planning does about an objection (`rehearsed_planning`), the model.

What is tried
-------------
A plan is carried out on the world of the fresh snapshot, then ten minutes pass: longer than any program goes on trying.
That is done once for each combination of

- the *behaviours* that the cluster may have. A run notes which of them it asked for, and the twin asks only where the
  answer decides something; under other behaviours that agree on those the same run would come out, and is not repeated.
- whether the cloud controller *still tries* what failed lately, where the snapshot leaves that open;
- *pace and choices*. Everything at once, or each action settled before the next, which also tells the action to blame.
  And where the platform chooses at random, either some way or the worst one: of equally loaded nodes the one with the
  least true room, of the addresses of an object first the one that spoils the pass for the others. Plans of more than
  `MANY` addresses are run in two of these four combinations, each pace and each way of choosing once.

Why the worst choice is enough, although the platform has more of them: nodes are filled level by level, fewest
allocations first, so that a choice only says which of a level's nodes gets its next address sooner. A node that will
refuse one is met, if it can be met at all, by taking the one with the least room first. Which node it is does not
matter to anything else, as no address depends on where another one is; except that an object has one address a node,
and so an object with several addresses in one subnet goes past nodes that are next in line. `exploring` tries those
cases in the tests, with all choices and other orders of events.

What counts as an objection
---------------------------
`loses`   an address that serves now does not in the end, although no action takes it from its object; in the other case
          the fleet file asks for it, and the guard counts it
`jams`    an assignment ends failed that was not failed before: EC2 refuses it, and it occupies a place all the same.
          Of an address that the plan does not ask for, and that does not serve before either, this counts only against
          an apply of its own object that makes no other serve: what nobody can have, whoever wrote it into whatever
          object, must not keep a zone's nodes from their label
`leaves`  an address that is to come instead of one that serves now is not served
An address that merely waits, because no node may have it or nobody assigns it, is no objection but is expected so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from chalicelib.domain.actions import Action
from chalicelib.domain.findings import some_of
from chalicelib.domain.rehearsing import twinning
from chalicelib.domain.rehearsing.runs import MANY, WAYS, Run, Start, Touched, runs_of
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.terrain import all_known
from chalicelib.domain.twin.behaviours import FLAGS, Variant, possible_variants
from chalicelib.domain.twin.values import Assigned

NODES_NAMED = 3


@dataclass(frozen=True, slots=True)
class Expectation:
    """What becomes of one address that the plan touches.

    Attributes:
        now: Node that it serves from; "" where it does not.
        nodes: Nodes that it may serve from afterwards, some of them where there are many; empty where it will not
            serve, or not for certain.
        more: There are more of them than are named.
        why: Why it will not serve, or may not; empty where it will.
    """

    policy: str
    address: str
    now: str
    nodes: tuple[str, ...]
    more: bool
    why: str


@dataclass(frozen=True, slots=True)
class Objection:
    """What speaks against the plan.

    Attributes:
        kind: "loses", "jams" or "leaves".
        policy: EgressIP that the address belongs to.
        position: Place in the plan's actions of the one to blame; None where only all of them together do it.
        adds: The address is one that the plan asks for: without it there is no objection.
        behaviours: Under which versions, and which of their behaviours played a part, in words.
    """

    kind: str
    policy: str
    address: str
    position: int | None
    adds: bool
    behaviours: str
    why: str

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.address} of EgressIP {self.policy} {self.why} (rehearsed {self.behaviours})."


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the rehearsal of one plan expects.

    Attributes:
        versions: What it was rehearsed as, in words.
        runs: How often it was carried out on the twin.
    """

    expectations: tuple[Expectation, ...] = ()
    objections: tuple[Objection, ...] = ()
    versions: str = ""
    runs: int = 0


def rehearse(actions: Sequence[Action], observed: Snapshot) -> Rehearsal | None:
    """Try the actions on the twin; None where the platform would notice none of them, or the snapshot is not whole."""
    known = all_known(observed)
    if known is None or not any(twinning.is_noticed(action) for action in actions):
        return None
    objects, plane = twinning.twin_of(known, observed.limits)
    variants = possible_variants(cncc=twinning.may_run(known.nodes))
    may_retry = twinning.may_be_retried(known.cpics, known.taken_at)
    touched = Touched.by(actions)
    runs: list[Run] = []
    for retrying in dict.fromkeys((frozenset[str](), may_retry)):
        start = Start(objects, plane, retrying)
        for way in WAYS if len(touched.adds) <= MANY else WAYS[:2]:
            runs += runs_of(start, variants, way, actions, touched)
    return _judged(runs, touched, variants)


def _judged(runs: Sequence[Run], touched: Touched, variants: Sequence[Variant]) -> Rehearsal:
    objections: dict[tuple[str, str, str], Objection] = {}
    for run in runs:
        for objection in _objections(run, touched, variants):
            key = (objection.kind, objection.policy, objection.address)
            there = objections.get(key)
            # What names its action can be withheld alone.
            if there is None or (there.position is None and objection.position is not None):
                objections[key] = objection
    return Rehearsal(
        tuple(_expectations(runs, touched, variants)),
        tuple(objections[key] for key in sorted(objections)),
        in_words(variants),
        len(runs),
    )


def _objections(run: Run, touched: Touched, variants: Sequence[Variant]) -> Iterator[Objection]:
    words = of_run(run, variants)
    for (owner, address), position in run.lost.items():
        why = "would stop serving, though the plan does not take it"
        yield Objection("loses", owner, address, position, adds=False, behaviours=words, why=why)
    for address, position in run.failed.items():
        cpic = run.after.objects.cpics.get(address)
        owner = (cpic.owner if cpic else None) or ""
        mine = touched.adds.get((owner, address))
        if mine is None and not _is_to_blame(run, touched, owner, position):
            continue
        why = f"would stay failed on {cpic.spec_node}: {_short(cpic.message)}" if cpic else "would fail"
        place = position if mine is None else mine
        yield Objection("jams", owner, address, place, adds=mine is not None, behaviours=words, why=why)
    replaced = {owner for owner, address in touched.removes if run.before.get(address, ("",))[0] == owner}
    for (owner, address), position in touched.adds.items():
        serves = run.serving.get(address, ("",))[0] == owner
        if owner in replaced and not serves and address not in run.failed:
            why = f"would not serve instead of what it replaces: {why_not(run, owner, address)}"
            yield Objection("leaves", owner, address, position, adds=True, behaviours=words, why=why)


def _is_to_blame(run: Run, touched: Touched, owner: str, position: int | None) -> bool:
    """Whether an apply of the object makes an address of its own fail that the plan does not ask for, for nothing."""
    place = touched.applies.get(owner)
    return place is not None and position in (None, place) and position not in run.gained.values()


def _expectations(runs: Sequence[Run], touched: Touched, variants: Sequence[Variant]) -> Iterator[Expectation]:
    lost = {pair for run in runs for pair in run.lost}
    failed = {(cpic.owner or "", a) for run in runs for a in run.failed if (cpic := run.after.objects.cpics.get(a))}
    for owner, address in sorted({*touched.adds, *touched.removes, *lost, *failed}):
        now = next((node for run in runs for name, node in [run.before.get(address, ("", ""))] if name == owner), "")
        if (owner, address) in touched.removes and (owner, address) not in touched.adds:
            yield Expectation(owner, address, now, (), more=False, why="the plan takes it out")
            continue
        without = [run for run in runs if run.serving.get(address, ("",))[0] != owner]
        nodes = _nodes(runs, owner, address)
        if not without:
            yield Expectation(owner, address, now, nodes[:NODES_NAMED], len(nodes) > NODES_NAMED, "")
            continue
        why = why_not(without[0], owner, address)
        if nodes:
            why = f"not for certain: {of_run(without[0], variants)}, {why}"
        yield Expectation(owner, address, now, (), more=False, why=why)


def _nodes(runs: Sequence[Run], owner: str, address: str) -> tuple[str, ...]:
    seen = {node for run in runs for name, node in [run.serving.get(address, ("", ""))] if name == owner}
    return tuple(sorted(seen.union(*(run.options.get(address, ()) for run in runs)) if seen else ()))


def why_not(run: Run, owner: str, address: str) -> str:
    """Why an address does not serve at the end of a run."""
    world = run.after
    cpic = world.objects.cpics.get(address)
    if cpic is not None and cpic.owner not in (None, owner):
        return f"EgressIP {cpic.owner} has it"
    if cpic is not None and cpic.assigned is not Assigned.TRUE:
        return f"its assignment on {cpic.spec_node} fails: {_short(cpic.message)}"
    if cpic is not None:
        return "assigned, but not in the object's status"
    cache = world.manager.cache if world.manager else None
    if cache is not None and address in cache.hosts:
        return f"it is an address of the host {cache.hosts[address][0]}"
    if cache is not None and cache.without_host_cidrs and run.asked.get("silent_abort", False):
        nodes = some_of(sorted(cache.without_host_cidrs), NODES_NAMED)
        return f"while {nodes} lacks host-cidrs, OVN-Kubernetes assigns nothing and does not say so"
    return "no node can have it: none in its subnet, none with room, or one of the object's on each"


def _short(message: str | None) -> str:
    return (message or "no answer").split("\n", 1)[0].removeprefix("Error processing cloud assignment request, err: ")


def of_run(run: Run, variants: Sequence[Variant]) -> str:
    """The versions that a run stands for, and the behaviours that decided in it."""
    mine = [variant for variant in variants if run.stands_for(variant.behaviours)]
    decisive = [
        name
        for name in sorted(FLAGS & run.asked.keys())
        if any(getattr(variant.behaviours, name) != run.asked[name] for variant in variants)
    ]
    words = in_words(mine)
    named = [name if run.asked[name] else f"no {name}" for name in decisive]
    return f"{words} ({', '.join(named)})" if named else words


def in_words(variants: Iterable[Variant]) -> str:
    """All their versions."""
    listed = list(variants)
    ovnk = dict.fromkeys(release for variant in listed for release in variant.ovnk)
    cncc = dict.fromkeys(version for variant in listed for version in variant.cncc)
    return f"as OVN-Kubernetes {', '.join(ovnk)} with the cloud controller of OpenShift {', '.join(cncc)}"
