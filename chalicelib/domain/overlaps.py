"""EgressIPs that select the same pods: only the first to configure serves such a pod, by design undefined which.

Told from the selectors alone, without reading a namespace or a pod: where one object demands everything that another
demands, and perhaps more, every pod of the former is also the latter's. What overlaps only in part, by labels of
particular pods, is not seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.snapshot import EgressIp
from chalicelib.domain.terrain import Terrain, is_our_object


def diagnose_overlaps(terrain: Terrain) -> Iterator[Finding]:
    """One finding for each pair of objects of which at least one is ours, the narrower one first."""
    by_name = sorted(terrain.observed.egress_ips, key=lambda egress_ip: egress_ip.name)
    demands = {egress_ip.name: _demands(egress_ip) for egress_ip in by_name if not egress_ip.deleting}
    ours = {egress_ip.name for egress_ip in by_name if is_our_object(egress_ip)}
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
            yield Finding(
                Kind.SELECTOR_OVERLAP,
                f"EgressIP {narrow} and EgressIP {wide}",
                Severity.CRITICAL,
                f"Every pod that EgressIP {narrow} selects is also selected by EgressIP {wide}.",
                impact="Such a pod leaves by the addresses of whichever came first, and by the other's when that goes.",
                todo="Make the selectors exclude each other, in the fleet file or in the object that is not ours.",
                evidence=tuple(f"{name}: {', '.join(sorted(demands[name])) or 'every pod'}" for name in (narrow, wide)),
            )


def _demands(egress_ip: EgressIp) -> frozenset[str]:
    """What both selectors demand, each requirement as one text; none demands nothing."""
    selectors = (("namespace", egress_ip.spec.namespace_selector), ("pod", egress_ip.spec.pod_selector or "{}"))
    return frozenset(text for kind, selector in selectors for text in _requirements(kind, selector))


def _requirements(kind: str, selector: str) -> Iterator[str]:
    parsed = json.loads(selector)
    for key, value in (parsed.get("matchLabels") or {}).items():
        yield f"{kind} {key} In [{value}]"
    for expression in parsed.get("matchExpressions") or ():
        values = ", ".join(sorted(map(str, expression.get("values") or ())))
        yield f"{kind} {expression.get('key')} {expression.get('operator')} [{values}]"
