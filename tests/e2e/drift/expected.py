"""What a visit must make of each drift: kind, severity, evidence, and the remedy or the person. One line a drift.

Facts behind it: the drift catalogue, columns "safe automatic remedy" and "alert only when".
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.drift.catalogue import LISTED


@dataclass(frozen=True)
class Expected:
    """What must come of a drift.

    Attributes:
        kind: Of the finding on the drift's subject; "" where the drift is no fault and nothing may be said.
        evidence: Each of these is in its summary or among its evidence.
        remedy: Regular expression; every action that is applied matches it, and at least one does. "" = none may be.
        person: What its "to do" says to a person where the tool must not repair it.
        heals: The tool alone makes every wanted address serve again; else only once the drift is ended.
        told: People hear of it, and of its end. False for what the platform mends by itself in normal time.
    """

    kind: str
    severity: str = "critical"
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    person: str = ""
    heals: bool = False
    told: bool = True


QUIET = Expected("", "", heals=True, told=False)

CYCLE = r": cycle |: \+10\.|: labels$"
"""Take it out, put it back, forget the cycle."""

KICK = r": kick$|: labels$"
"""Kick it, and forget the kick once it has helped."""

EXPECTED = {
    "D1": Expected("no-eligible-node", evidence=("eligible nodes: 0", "eu-central-1c"), person="machine pool"),
    "D2": Expected("capacity-shortfall", evidence=("eligible nodes: 1", "two-in-c"), person="Scale up"),
    "D3": Expected("node-label-missing", "warning", ("egress-assignable", "egress-c"), r"^label node ip-", heals=True),
    "D3-born": Expected("node-label-missing", "warning", ("egress-c",), r"^label node ip-", heals=True, told=False),
    "D3-classic": Expected("pool-label-missing", "warning", ("egress",), r"machine pool egress", heals=True),
    "D4": Expected("node-unusable", "warning", ("annotation is missing",), person="oc adm cordon", heals=True),
    "D5": Expected("address-unassigned", "warning", evidence=("CloudPrivateIPConfig: none",), remedy=KICK, heals=True),
    "D6": Expected("assignment-failed", "warning", evidence=("InternalError",), remedy=CYCLE, heals=True),
    "D7": Expected("assignment-failed", evidence=("move is not allowed", "eni-"), person="Have it freed"),
    "D8": QUIET,
    "D8-flapping": Expected("address-flapping", "warning", ("moved 4 times",), person="reachabilityTotalT"),
    "D9": Expected("assignment-failed", "warning", evidence=("LimitExceeded",), remedy=CYCLE, heals=True),
    "D10": Expected("assignment-failed", evidence=("UnauthorizedOperation",), remedy=CYCLE, person="red-hat-managed"),
    "D11": Expected("status-lost", evidence=("status.items: no node",), remedy=CYCLE, heals=True),
    "D12": Expected("status-unbacked", "warning", ("CloudPrivateIPConfig: none",), KICK),
    "D13": Expected("cpic-stale", "warning", ("legacy-partner",), person="oc delete cloudpriv", heals=True),
    "D14": Expected(
        "ec2-address-missing",
        "warning",
        evidence=("True on ip-", "network interface: none"),
        remedy="assign|take|put",
        heals=True,
    ),
    "D14-moved": Expected("ec2-address-missing", evidence=("eni-",), person="interface"),
    "D15": Expected("address-leftover", "warning", ("10.10.200.99",), person="unassign-private-ip", heals=True),
    "D16": Expected("address-outside", evidence=("10.10.201.7",), person="fleet file", heals=True),
    "D17": Expected("address-duplicate", "warning", ("legacy-partner",), person="Remove it from one", heals=True),
    "D17-own": Expected("spec-edited", "warning", ("kubectl-edit",), r"EgressIP demo-egress-ns", heals=True),
    "D18": Expected("address-is-host", "warning", ("host-cidrs",), person="5966", heals=True),
    "D19": Expected("spec-edited", "warning", ("10.10.200.2533",), r"EgressIP demo-egress-ns", heals=True),
    "D20": Expected("spec-edited", "critical", ("kubectl-edit",), r"EgressIP demo-egress-ns", heals=True),
    "D20-observe": Expected("spec-edited", "critical", ("kubectl-edit",)),
    "D21": Expected("selector-overlap", "critical", ("legacy-partner",), person="selectors exclude", heals=True),
    "D21-labels": Expected("selector-overlap", "critical", ("legacy-partner",), person="selectors exclude", heals=True),
    "D22": Expected("node-unusable", "warning", ("not Ready",), person="from being Ready", heals=True, told=False),
    "D23": Expected("reservation-missing", "warning", ("10.10.200.253/32",), r"^reserve 10.10.200.253/32", heals=True),
    "D24": Expected("reservation-foreign", "warning", ("prefix",), person="delete-subnet-cidr-reservation", heals=True),
    "D25": QUIET,
    "D25-bare": QUIET,
    "D26": Expected("subnet-changed", "critical", ("10.10.250.0/24", LISTED), person="tell"),
    "D27": Expected("capacity-odd", "warning", ("14", "8"), person="oc adm cordon", heals=True),
    "D28": Expected("", "", remedy=r"10\.10\.150\.200", heals=True, told=False),  # the new policy is set up, no more
}
