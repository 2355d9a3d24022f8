"""Machine pools in a plan: made when asked for, labelled when the label is missing, compared, and never fought over.

Reads what OCM says beside what the fleet file wishes. Labels of nodes that exist are `labelling`; where a new pool may
be is `creating`. Without OCM (not configured, not readable, cluster not ready) nothing here is planned, and nothing
else waits for it: EgressIPs, reservations and nodes' labels do not depend on OCM.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chalicelib.domain.actions import POOL_LABELS, CreatePool, LabelPool
from chalicelib.domain.findings import Finding, Kind, Severity, some_of
from chalicelib.domain.machine_pools.creating import Ground, carries, differences, new_pool, size_in_words
from chalicelib.domain.plan import Withheld
from chalicelib.domain.pools import MachinePool, OcmView
from chalicelib.domain.remembered import Memo, Remembered
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, MARK_LABEL, Unknown
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.terrain import JOINING_TIME, Terrain, is_our_object
from chalicelib.domain.wished_pools import WishedPool

FIRST_PAUSE = timedelta(minutes=10)
LONGEST_PAUSE = timedelta(hours=12)
"""Between two tries to put a label back that somebody takes away; it doubles with each."""

WATCHED = timedelta(hours=24)
"""How long after we set a label its disappearance counts as the work of a second writer."""

CONTESTED = 2
"""Set so many times within that time and missing again, a label has a second writer; once may be a slip."""


@dataclass
class Pooling:
    """What there is to do and to say about machine pools."""

    create: list[CreatePool] = field(default_factory=list)
    label: list[LabelPool] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)
    moving: list[str] = field(default_factory=list)


def plan_pools(terrain: Terrain, memory: Remembered) -> Pooling:
    """Compare the wished pools with those that OCM has."""
    out = Pooling()
    view = terrain.observed.ocm
    if view is None or isinstance(view, Unknown):
        return out
    obstacles = obstacle_in_ocm(view, terrain.desired)
    if obstacles:
        out.findings += obstacles
        out.withheld += [
            Withheld(f"machine pool {wish.name}", "nothing is written to OCM meanwhile") for wish in terrain.wished
        ]
        return out
    limits = terrain.observed.limits
    ground = Ground(
        view, terrain.observed.subnets, terrain.observed.instances, {} if isinstance(limits, Unknown) else limits
    )
    planner = _Planner(terrain, memory, ground, out)
    for wish in terrain.wished:
        there = view.pool(wish.name)
        if there is not None:
            planner.keep(wish, there)
        elif wish.creation is None:
            planner.miss(wish)
        else:
            planner.create(wish)
    planner.finish()
    return out


_FIND_WRITER = (
    "Find who writes the labels of machine pool {pool} (Terraform, a pipeline, the console, `rosa edit machinepool"
    " --labels`) and have them keep this one, or take the pool out of the fleet file."
)


_GIVE = "Give machine pool {pool} the label beside those that it has."


def second_writer_subject(pool: str) -> str:
    """What the finding is about, and remembered under."""
    return f"label of machine pool {pool}"


def obstacle_in_ocm(view: OcmView | Unknown | None, desired: ClusterSpec) -> tuple[Finding, ...]:
    """Why nothing may be written to OCM for this cluster, if so: it is another one, or not ready."""
    if not isinstance(view, OcmView):
        return ()
    cluster, wanted = view.cluster, desired.infra_id
    comparable = cluster.hosted or cluster.infra_id
    if comparable and wanted not in {cluster.id, cluster.infra_id}:
        return (_another_cluster(view, wanted),)
    return () if view.ready else (_not_ready(view),)


def _another_cluster(view: OcmView, wanted: str) -> Finding:
    cluster = view.cluster
    return Finding(
        Kind.OCM_CLUSTER_MISMATCH,
        "cluster in OCM",
        Severity.WARNING,
        f"ocm.cluster of the fleet file is {cluster.name} ({cluster.id}) in OCM, whose infrastructure id is"
        f" {cluster.infra_id or cluster.id}; infra_id of the fleet file is {wanted}.",
        impact="Egress is looked after as ever. Machine pools are neither labelled nor made: they may be those of"
        " another cluster.",
        todo="Correct ocm.cluster or infra_id in the fleet file: both must name the same cluster.",
    )


def _not_ready(view: OcmView) -> Finding:
    return Finding(
        Kind.OCM_CLUSTER_NOT_READY,
        "cluster in OCM",
        Severity.WARNING,
        f"OCM says that the cluster's state is {view.cluster.state}, not ready.",
        impact="Egress is looked after as far as the cluster answers. Machine pools are neither labelled nor made.",
        todo="Nothing, if that is planned. Otherwise OCM says why (Look).",
    )


@dataclass
class _Planner:
    """Plans one pool after the other."""

    terrain: Terrain
    memory: Remembered
    ground: Ground
    out: Pooling
    made: list[tuple[str, CreatePool]] = field(default_factory=list)
    impossible: dict[str, list[str]] = field(default_factory=dict)
    """What is wrong with an entry of the fleet file, by its name."""

    def finish(self) -> None:
        """An entry of which one pool can't be made has none made: half of the zones would look like all of them."""
        self.out.create += [action for entry, action in self.made if entry not in self.impossible]
        self.out.findings += [_impossible(entry, problems) for entry, problems in sorted(self.impossible.items())]

    @property
    def now(self) -> datetime:
        return self.terrain.observed.taken_at

    def miss(self, wish: WishedPool) -> None:
        """A pool that somebody else makes is not there."""
        names = some_of([pool.name for pool in self.ground.view.pools]) or "none"
        self.out.findings.append(
            Finding(
                Kind.POOL_MISSING,
                f"machine pool {wish.name}",
                Severity.WARNING,
                f"machine_pools: {wish.name!r}: the cluster has no such machine pool in OCM; it has {names}.",
                impact="No node of it carries egress addresses.",
                todo="Correct the name in the fleet file, have it made by `create:` there, or make it; `rosa` asks for"
                f" the rest:\nrosa create machinepool --cluster {self.terrain.desired.name} --name {wish.name}"
                f" --labels {ASSIGNABLE_LABEL}=",
            )
        )

    def create(self, wish: WishedPool) -> None:
        """Have the pool made, or say why it can't be."""
        if isinstance(self.terrain.observed.limits, Unknown):
            why = f"what its nodes can carry could not be read: {self.terrain.observed.limits.why}"
            self.out.withheld.append(Withheld(f"create machine pool {wish.name}", why))
            return
        pool = new_pool(wish, self.ground, POOL_LABELS)
        if isinstance(pool, tuple):
            self.impossible.setdefault(wish.entry, []).extend(pool)
            return
        zone_by_subnet = {subnet.id: subnet.zone for subnet in self.ground.subnets}
        zones = (zone_by_subnet[pool.subnet],) if pool.subnet else (pool.zone,) if pool.zone else wish.zones
        least, most = carries(pool, self.ground.limits)
        self.made.append(
            (wish.entry, CreatePool(pool, zones, least, most, (), f"machine_pools {wish.entry} of the fleet file"))
        )
        # The next one has less room below the cluster's limit of nodes.
        made = MachinePool(pool.name, pool.labels, pool.instance_type, pool.scaling, zones)
        view = self.ground.view
        self.ground = replace(self.ground, view=replace(view, pools=(*view.pools, made)))

    def keep(self, wish: WishedPool, pool: MachinePool) -> None:
        """A pool that is there: is it as wished, labelled, and does it have its nodes?"""
        self._compare(wish, pool)
        self._label(pool)
        self._count(pool)

    def _compare(self, wish: WishedPool, pool: MachinePool) -> None:
        found = differences(wish, pool, self.ground)
        if found:
            self.out.findings.append(
                Finding(
                    Kind.POOL_DIFFERENT,
                    f"machine pool {pool.name}",
                    Severity.WARNING,
                    f"Machine pool {pool.name} is not as the fleet file has it made: {'; '.join(found)}.",
                    impact="Its nodes carry egress addresses as they are; the capacity report counts what is there.",
                    todo="Write its values into the fleet file, or change the pool with `rosa`. A pool that exists is"
                    " never changed, scaled or deleted here.",
                )
            )

    def _label(self, pool: MachinePool) -> None:
        watch = Finding(Kind.SECOND_WRITER, second_writer_subject(pool.name), Severity.INFO, "")
        memo = self.memory.memo(watch.fingerprint(self.terrain.desired.name))
        if ASSIGNABLE_LABEL in pool.labels:
            if memo is not None and memo.tried_at is not None and self.now - memo.tried_at < WATCHED:
                self.out.findings.append(_watched(watch, pool, memo))
            return
        action = LabelPool(
            pool.name, dict(pool.labels), (), f"new nodes of machine pool {pool.name} are to carry egress addresses"
        )
        again_at = None if memo is None or memo.tried_at is None else memo.tried_at + _pause(memo.tries)
        waits = again_at is not None and self.now < again_at
        if waits:
            assert again_at is not None  # noqa: S101 - said by `waits`
            why = f"somebody takes the label away again; tried next at {again_at:%H:%M} UTC"
            self.out.withheld.append(Withheld(action.summary, why))
        else:
            self.out.label.append(action)
        self.out.findings += [
            self._label_missing(pool, repaired_by="" if waits else action.summary, again_at=again_at),
            _taken_away(watch, pool, memo, repaired_by="" if waits else action.summary),
        ]

    def _label_missing(self, pool: MachinePool, repaired_by: str, again_at: datetime | None) -> Finding:
        """Told at once where the pool had it: whoever took it off will do so again, and the repair leaves no trace."""
        taken, carried = self._nodes_have_it(pool), self._carried(pool)
        why = ""
        todo = "" if repaired_by else _GIVE.format(pool=pool.name)
        if taken:
            why, todo = ", though its nodes have it: somebody took it off", _FIND_WRITER.format(pool=pool.name)
        elif carried:
            why = ", and so do its nodes, though addresses were assigned there before"
            todo = f"If it had the label before: {_FIND_WRITER.format(pool=pool.name)}"
        return Finding(
            Kind.POOL_LABEL_MISSING,
            f"machine pool {pool.name}",
            Severity.WARNING,
            f"Machine pool {pool.name} lacks the label {ASSIGNABLE_LABEL} in OCM{why}.",
            impact="Nodes that it has keep theirs. Those that it gets from now on are born without, and carry none."
            if self.ground.hosted
            else "The platform takes it off the pool's nodes as well; then OVN-Kubernetes takes their addresses away.",
            todo=todo,
            repaired_by=repaired_by,
            remedy="" if repaired_by or again_at is None else f"it is put back at {again_at:%H:%M} UTC",
            cause=f"labels of machine pool {pool.name}",
            evidence=(f"labels: {_in_words(pool)}",),
            certain=taken or carried,
        )

    def _nodes_have_it(self, pool: MachinePool) -> bool:
        """Whether a node of it has the label: as a rule, because the pool had it when the node was born."""
        mine = (i.id for i in self.terrain.observed.instances if i.pool == pool.name)
        nodes = (self.terrain.node_by_instance.get(instance_id) for instance_id in mine)
        return any(node is not None and node.assignable is not None for node in nodes)

    def _carried(self, pool: MachinePool) -> bool:
        """Whether its subnets carried addresses that nothing there can carry now: objects of ours list them, which
        they did not before there was a node for them.
        """
        terrain = self.terrain
        mine = (terrain.subnet_by_id.get(i.subnet_id) for i in terrain.observed.instances if i.pool == pool.name)
        lost = {subnet.cidr for subnet in mine if subnet is not None and not terrain.eligible_in(subnet.cidr)}
        return any(lost & terrain.homes_of(eip).keys() for eip in terrain.observed.egress_ips if is_our_object(eip))

    def _count(self, pool: MachinePool) -> None:
        """Fewer machines than the pool is to have: on their way at first, a finding when they do not come."""
        there = [
            instance
            for instance in self.terrain.observed.instances
            if instance.pool == pool.name and instance.state in ("pending", "running")
        ]
        if len(there) >= pool.scaling.least:
            return
        finding = Finding(
            Kind.POOL_SHORT,
            f"machine pool {pool.name}",
            Severity.INFO,
            f"Machine pool {pool.name} has {len(there)} of {size_in_words(pool.scaling)}.",
            cause=f"nodes of machine pool {pool.name}",
        )
        short_for = self.memory.open_for(finding.fingerprint(self.terrain.desired.name), self.now)
        if short_for is None or short_for < JOINING_TIME:
            self.out.moving.append(f"machine pool {pool.name} has {len(there)} of {size_in_words(pool.scaling)}")
            self.out.findings.append(finding)
            return
        self.out.findings.append(
            replace(
                finding,
                severity=Severity.WARNING,
                impact="Its zones have fewer nodes for egress addresses than planned.",
                todo="Remove what keeps its machines from coming: as a rule the instance quota, no capacity in EC2, or"
                " no free address in the subnet.",
            )
        )


def _pause(tries: int) -> timedelta:
    """Before the next try: a first repair is immediate, a second may follow a slip, then it becomes rare."""
    doublings = min(max(tries - 1, 0), 10)  # more would only overflow: the longest pause is reached long before
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def _taken_away(watch: Finding, pool: MachinePool, memo: Memo | None, repaired_by: str) -> Finding:
    """Counts our tries, and becomes a warning when the label keeps disappearing."""
    tries = 0 if memo is None else memo.tries
    if tries < CONTESTED:
        return replace(
            watch,
            summary=f"The label of machine pool {pool.name} is ours to set; whether it stays is watched for a day.",
            repaired_by=repaired_by,
        )
    return replace(
        watch,
        severity=Severity.WARNING,
        summary=f"Somebody keeps taking {ASSIGNABLE_LABEL} off machine pool {pool.name}: it was set {tries} times"
        " within a day, and is gone again.",
        impact="Nodes that are there keep their labels on HCP and lose them on classic; new ones are born without.",
        todo=f"{_FIND_WRITER.format(pool=pool.name)} It is put back ever more rarely until then.",
        repaired_by=repaired_by,
        evidence=(f"labels: {_in_words(pool)}",),
    )


def _watched(watch: Finding, pool: MachinePool, memo: Memo) -> Finding:
    """The label is there; remembered a while, so that its disappearance is not taken for the first."""
    times = "once" if memo.tries == 1 else f"{memo.tries} times"
    return replace(
        watch,
        severity=Severity.WARNING if memo.tries > CONTESTED else Severity.INFO,
        summary=f"The label of machine pool {pool.name} was set {times} within a day; it is watched whether it stays.",
    )


def _impossible(entry: str, problems: list[str]) -> Finding:
    return Finding(
        Kind.POOL_IMPOSSIBLE,
        f"machine pool {entry}",
        Severity.WARNING,
        f"Machine pool {entry} can't be made: {'; '.join(dict.fromkeys(problems))}.",
        impact="Nothing was sent to OCM; its nodes are missing.",
        todo="Correct the fleet file.",
    )


def _in_words(pool: MachinePool) -> str:
    return some_of(f"{key}={value}" for key, value in sorted(pool.labels.items()) if key != MARK_LABEL) or "none"
