"""EgressIPs that select the same pods: only the first to configure serves such a pod, by design undefined which.

Told from the selectors alone where one object demands everything that another demands, and perhaps more; else from the
labels of namespaces and pods. Where those could not be read, that is told, and nothing else depends on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chalicelib.domain.drift.contenders import Contender, Pair, contenders_of, meetings
from chalicelib.domain.drift.unread import OUTAGE_TIME
from chalicelib.domain.findings import Finding, Kind, Severity, seconds
from chalicelib.domain.matching import Requirement
from chalicelib.domain.snapshot import Selected, Unknown
from chalicelib.domain.terrain import Terrain


def diagnose_overlaps(terrain: Terrain) -> Iterator[Finding]:
    """One finding for each pair of which at least one is ours or wished for, and one for what could not be read."""
    contenders = contenders_of(terrain.observed.egress_ips, terrain.desired.policies)
    demands = {contender.name: _demands(contender) for contender in contenders}
    selected = terrain.observed.selected
    met = dict(_met(contenders, selected))
    for narrow, wide in _implied(contenders, demands):
        place = met.pop((min(narrow, wide), max(narrow, wide)), "")
        summary = f"Every pod that EgressIP {narrow} selects is also selected by EgressIP {wide}."
        yield _overlap((narrow, wide), summary, place, demands)
    for pair, place in sorted(met.items()):
        yield _overlap(pair, f"EgressIP {pair[0]} and EgressIP {pair[1]} both select {place}.", place, demands)
    unread = selected.pods if isinstance(selected, Selected) else selected
    if isinstance(unread, Unknown):
        yield _not_known(unread)
    if isinstance(selected, Selected) and selected.skipped:
        yield _cut(selected)


def _met(contenders: tuple[Contender, ...], selected: Selected | Unknown | None) -> Mapping[Pair, str]:
    if not isinstance(selected, Selected):
        return {}
    return meetings(contenders, selected.namespaces, {} if isinstance(selected.pods, Unknown) else selected.pods)


def _implied(contenders: tuple[Contender, ...], demands: Mapping[str, frozenset[str]]) -> Iterator[Pair]:
    """Pairs of which the first demands all that the second does."""
    ours = {contender.name for contender in contenders if contender.ours}
    by_demand: dict[str, list[str]] = {}
    for name, demanded in demands.items():
        by_demand.setdefault(min(demanded, default=""), []).append(name)
    for narrow, demanded in demands.items():
        # Who demands less has its first demand among these: not every pair has to be looked at.
        for wide in sorted(name for demand in ("", *demanded) for name in by_demand.get(demand, ())):
            less = demands[wide]
            same = demanded == less
            if narrow == wide or not less <= demanded or (same and narrow > wide) or not {narrow, wide} & ours:
                continue
            yield narrow, wide


def _overlap(pair: Pair, summary: str, place: str, demands: Mapping[str, frozenset[str]]) -> Finding:
    selectors = (f"{name}: {', '.join(sorted(demands[name])) or 'every pod'}" for name in pair)
    return Finding(
        Kind.SELECTOR_OVERLAP,
        f"EgressIP {pair[0]} and EgressIP {pair[1]}",
        Severity.CRITICAL,
        summary,
        impact="Such a pod leaves by the addresses of whichever came first, and by the other's when that goes.",
        todo="Make the selectors exclude each other, in the fleet file or in the object that is not ours.",
        evidence=(*selectors, *([f"for example: {place}"] if place else [])),
    )


def _not_known(unread: Unknown) -> Finding:
    """A cluster whose ClusterRole is older than this check answers 403: nothing but the check may suffer from it."""
    return Finding(
        Kind.SECTION_UNKNOWN,
        unread.what,
        Severity.WARNING,
        f"Whether EgressIPs select the same pods is not known: {unread.what} could not be read: {unread.why}.",
        impact="None: all else is looked after as ever.",
        todo=f"If it is forbidden, the service account lacks the verb list on {unread.what}: as cluster-admin,"
        f" `oc apply -f deploy/rbac.yaml`. Else see that {unread.source} answers.",
        cause="labels of namespaces and pods cannot be read",
        patience_seconds=seconds(OUTAGE_TIME) if unread.may_pass else 0,
    )


def _cut(selected: Selected) -> Finding:
    read = len(selected.pods) if not isinstance(selected.pods, Unknown) else 0
    return Finding(
        Kind.SELECTOR_OVERLAP,
        "namespaces not looked at",
        Severity.INFO,
        f"Pods of {read} namespaces were compared with the selectors; those of {selected.skipped} more that two"
        " EgressIPs select were not: a visit reads no more.",
        todo="Give the EgressIPs selectors that exclude each other, by one label of the namespaces.",
    )


def _demands(contender: Contender) -> frozenset[str]:
    """What both selectors demand, each requirement as one text; none demands nothing."""
    selectors = (("namespace", contender.namespaces), ("pod", contender.pods))
    return frozenset(_text(kind, requirement) for kind, selector in selectors for requirement in selector)


def _text(kind: str, requirement: Requirement) -> str:
    values = f" [{', '.join(sorted(requirement.values))}]"
    return f"{kind} {requirement.key} {requirement.operator}{values}"
