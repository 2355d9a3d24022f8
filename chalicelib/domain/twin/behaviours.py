"""What differs between the releases of OVN-Kubernetes and of CNCC, as named behaviours.

Belongs here: one flag per difference, and which version has which. Does not belong here: what a flag does (the modules
that ask for it).

| behaviour                | OVN-K 1.1 | 1.2 | 1.3 | master | later |
|--------------------------|-----------|-----|-----|--------|-------|
| capacity_alias           | no        | yes | yes | yes    | yes   |
| ipconfig_trigger         | no        | no  | no  | yes    | yes   |
| retry_gone_node          | no        | yes | yes | yes    | yes   |
| abort_rest               | yes       | yes | no  | no     | no    |
| resync_owner             | no        | yes | yes | yes    | yes   |
| cache_check              | no        | yes | yes | yes    | yes   |
| prefill                  | no        | no  | yes | yes    | yes   |
| silent_abort             | yes       | yes | yes | yes    | no    |

| behaviour                | CNCC of OpenShift ≤ 4.15 | 4.16 – 4.20 | ≥ 4.21, main |
|--------------------------|--------------------------|-------------|--------------|
| capacity_by_owner        | no                       | yes         | yes          |
| missing_node_fails       | no                       | no          | yes          |

The columns 1.1 (9002b1ca1c9d), 1.2 (10a2fa088d17), 1.3 (251895cd534f), master (8871cd9cec9c), CNCC 4.18 (f892b9152672)
and main (2d69ad953cfa) are checked against recordings of those programs. "later" is OVN-K's source after that master
commit (19f09a2620a7), read, not recorded; CNCC ≤ 4.15 is read, not recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from itertools import product


@dataclass(frozen=True, slots=True)
class Behaviours:
    """How one combination of cluster manager and CNCC behaves where releases differ.

    Attributes:
        capacity_alias: The last number in `capacity` (on AWS the IPv6 one) is the limit for IPv4, IPv6 and both
            together, because the parsed fields share one integer. Otherwise each family has its own.
        ipconfig_trigger: A changed egress-ipconfig annotation on a labelled node re-runs the unassigned objects.
        retry_gone_node: An assignment that meets a failed CPIC whose `status.node` no longer exists deletes that CPIC
            (event CloudAssignmentRetry).
        abort_rest: An entry that is a host address, or allocated to another object, ends the pass; otherwise it is
            skipped.
        resync_owner: After a CPIC is gone, its own object is reconciled if it still lists the address.
        cache_check: A status item that the allocation cache does not confirm is invalid.
        prefill: At start the allocation cache is filled from the statuses before anything is assigned.
        silent_abort: A node without host-cidrs, any node, ends every assignment pass without an event. Otherwise only
            that node itself is not assignable.
        capacity_by_owner: CNCC counts against a node's limit the addresses that no CPIC of the node claims; older ones
            count all addresses and add back the CPICs assigned there.
        missing_node_fails: CNCC sets a CPIC for a node that does not exist to False and does not retry; older ones
            retry with back-off and leave it Unknown.
    """

    capacity_alias: bool = True
    ipconfig_trigger: bool = True
    retry_gone_node: bool = True
    abort_rest: bool = False
    resync_owner: bool = True
    cache_check: bool = True
    prefill: bool = True
    silent_abort: bool = True
    capacity_by_owner: bool = True
    missing_node_fails: bool = True

    @property
    def restart_replaces(self) -> bool:
        """A restart of the cluster manager empties every status and places all addresses anew.

        The statuses are checked against a cache that is still empty.
        """
        return self.cache_check and not self.prefill

    @property
    def restart_duplicate(self) -> bool:
        """After a restart an address wanted by two objects can be allocated to the one that does not have it."""
        return not self.prefill


FLAGS = frozenset(field.name for field in fields(Behaviours))
"""The names of all behaviours."""


class Watched(Behaviours):
    """Behaviours that remember which of them were asked for.

    The twin asks for one only where the answer decides something. It is deterministic, so a run that asked for some of
    them goes the same way under any others that agree on those: it need not be run again.

    Attributes:
        asked: Names of those asked for so far.
    """

    __slots__ = ("asked",)
    asked: set[str]

    def __init__(self, behaviours: Behaviours) -> None:
        for name in FLAGS:
            object.__setattr__(self, name, getattr(behaviours, name))
        object.__setattr__(self, "asked", set())

    def __getattribute__(self, name: str) -> object:
        if name in FLAGS:
            object.__getattribute__(self, "asked").add(name)
        return object.__getattribute__(self, name)

    # To compare or to hash is not to ask.
    __eq__ = object.__eq__
    __hash__ = object.__hash__


_MASTER = Behaviours()

OVNK_RELEASES: dict[str, Behaviours] = {
    "1.1": replace(
        _MASTER,
        capacity_alias=False,
        ipconfig_trigger=False,
        retry_gone_node=False,
        abort_rest=True,
        resync_owner=False,
        cache_check=False,
        prefill=False,
    ),
    "1.2": replace(_MASTER, ipconfig_trigger=False, abort_rest=True, prefill=False),
    "1.3": replace(_MASTER, ipconfig_trigger=False),
    "master": _MASTER,
    "later": replace(_MASTER, silent_abort=False),
}
"""By release of OVN-Kubernetes; the CNCC part of each is that of main."""

_CNCC_MAIN = (5, 99)
_CNCC_CAPACITY_BY_OWNER = (4, 16)
_CNCC_MISSING_NODE_FAILS = (4, 21)


def behaviours_of(ovnk: str, cncc: str = "main") -> Behaviours:
    """The behaviours of known versions.

    Args:
        ovnk: A key of `OVNK_RELEASES`.
        cncc: "main", or the OpenShift minor whose CNCC it is ("4.18"): the branch heads, not every z-stream.

    Raises:
        ValueError: The version is not known; `possible_behaviours` answers for that.
    """
    if ovnk not in OVNK_RELEASES:
        raise ValueError(f"unknown OVN-Kubernetes release {ovnk!r}, known are {', '.join(OVNK_RELEASES)}")
    minor = _minor(cncc)
    return replace(
        OVNK_RELEASES[ovnk],
        capacity_by_owner=minor >= _CNCC_CAPACITY_BY_OWNER,
        missing_node_fails=minor >= _CNCC_MISSING_NODE_FAILS,
    )


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to behave, and the versions that do.

    Attributes:
        ovnk: Releases of OVN-Kubernetes, keys of `OVNK_RELEASES`; any of them may come with any of `cncc`.
        cncc: "main", or OpenShift minors whose CNCC it is.
    """

    behaviours: Behaviours
    ovnk: tuple[str, ...]
    cncc: tuple[str, ...]


EVERY_CNCC = ("4.15", "4.20", "main")
"""One of each kind."""


def possible_variants(ovnk: str | None = None, cncc: Iterable[str] = EVERY_CNCC) -> tuple[Variant, ...]:
    """Every variant that the versions may have, without repeats.

    Args:
        ovnk: None or an unknown release stands for all of them. Which OVN-Kubernetes commit is in which z-stream of
            OpenShift is not known, so a real cluster usually gives None.
        cncc: Those that may run, as `behaviours_of` takes them; what is no version stands for every one.
    """
    ovnks = [ovnk] if ovnk in OVNK_RELEASES else list(OVNK_RELEASES)
    known = dict.fromkeys(version for version in cncc if _is_version(version))
    found: dict[Behaviours, Variant] = {}
    for release, version in product(ovnks, known or EVERY_CNCC):
        behaviours = behaviours_of(str(release), version)
        there = found.get(behaviours, Variant(behaviours, (), ()))
        found[behaviours] = Variant(
            behaviours,
            tuple(dict.fromkeys((*there.ovnk, str(release)))),
            tuple(dict.fromkeys((*there.cncc, version))),
        )
    return tuple(found.values())


def possible_behaviours(ovnk: str | None = None, cncc: str | None = None) -> tuple[Behaviours, ...]:
    """The behaviours of `possible_variants`; None or what is no version stands for all."""
    variants = possible_variants(ovnk, (cncc,) if cncc else EVERY_CNCC)
    return tuple(variant.behaviours for variant in variants)


def _is_version(cncc: str) -> bool:
    try:
        return bool(_minor(cncc))
    except ValueError:
        return False


def _minor(cncc: str) -> tuple[int, int]:
    if cncc == "main":
        return _CNCC_MAIN
    major, dot, minor = cncc.partition(".")
    if not (dot and major.isdigit() and minor.isdigit()):
        raise ValueError(f"CNCC version {cncc!r} is neither 'main' nor an OpenShift minor such as '4.18'")
    return int(major), int(minor)
