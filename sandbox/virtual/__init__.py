"""A ROSA cluster in memory, on virtual time: for thousands of lives in the time that the wire needs for one.

    rosa = VirtualRosa(egress_pools(replicas=2), choose=Chance(seed))
    keeper = Keeper(rosa, desired)          # desired: a ClusterSpec with rosa.name, rosa.infra_id
    keeper.run(600)                         # ten minutes, with visits as deployed
    rosa.accidents.terminate(rosa.nodes[0])
    without = rosa.fork()                   # the same cluster, left alone from here on
    rosa.history.fail_open_seconds("web", since=600, until=1200)

It implements the ports `ClusterApi` and `Ec2` directly over the twin (`chalicelib.domain.twin`): no HTTP, no moto, and
no second model of the platform. The wire has its own sandbox (`sandbox.kube`, `sandbox.aws`), held against real ones.

    rosa        the state, time, forks              life        machines join and leave
    accidents   what befalls a cluster              adapters    the two ports
    serving     what serves, when it failed open    keeper      visits as deployed, killed ones too
    facts       what the twin does not need         fields      who holds which field of an EgressIP
    reading     twin values as snapshot values      chance      random choices by seed
    fakes       table, topic, trouble on demand

Simpler than life: calls take no time unless `call_seconds` says so; an instance that ends shows its interface until EC2
frees it; on classic nobody strips labels set by hand.
"""

from sandbox.virtual.chance import Chance
from sandbox.virtual.facts import Machine, Phase
from sandbox.virtual.keeper import PACE, Keeper, Killed
from sandbox.virtual.rosa import GUIDE_ZONES, VirtualRosa, egress_pools, pool
from sandbox.virtual.serving import History, Interval, serving

__all__ = [
    "GUIDE_ZONES",
    "PACE",
    "Chance",
    "History",
    "Interval",
    "Keeper",
    "Killed",
    "Machine",
    "Phase",
    "VirtualRosa",
    "egress_pools",
    "pool",
    "serving",
]
