"""EgressIPs that select the same pods: told by the labels of namespaces and pods, asked for only where they decide."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.drift.contenders import Contender, any_may_meet, contenders_of, meetings, namespaces_in_question
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.matching import parse_selector, selects
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import EgressIp, EgressIpSpec, Known, Labelled, Selected, Unknown
from tests import factories as make
from tests.domain.reading import foreign
from tests.domain.world import converge
from tests.factories import known

A, B = "10.10.100.253", "10.10.150.253"
DESIRED = make.cluster(make.policy("ns", A, B))
HEALTHY = converge(make.snapshot(nodes_per_zone=2), DESIRED)
LEGACY = '{"matchLabels":{"team":"legacy"}}'
OURS = json.loads(make.NAMESPACES)["matchLabels"]
BOTH = Labelled("web", {**OURS, "team": "legacy"})


def theirs(namespaces: str = LEGACY, pods: str | None = None, name: str = "theirs") -> EgressIp:
    return replace(foreign(name), spec=EgressIpSpec((), namespaces, pods))


def told(selected: Known[Selected] | None, *objects: EgressIp) -> list[Finding]:
    """Findings beside a healthy cluster; nothing is changed or held back on account of them."""
    observed = replace(HEALTHY, egress_ips=(*known(HEALTHY.egress_ips), *(objects or (theirs(),))), selected=selected)
    planned = plan(observed, DESIRED)
    assert (planned.actions, planned.withheld) == ((), ())
    return list(planned.findings)


def test_a_namespace_with_the_labels_of_both_is_named() -> None:
    """Selectors that have nothing in common meet in a namespace that has the labels of both."""
    (found,) = told(Selected((Labelled("other", {"team": "legacy"}), BOTH)))
    assert (found.kind, found.severity) == (Kind.SELECTOR_OVERLAP, Severity.CRITICAL)
    assert found.subject == "EgressIP ns and EgressIP theirs"
    assert found.summary == "EgressIP ns and EgressIP theirs both select every pod of namespace web."
    assert "exclude each other" in found.todo


def test_a_pod_with_the_labels_of_both_is_named() -> None:
    """Where one of them selects pods, a shared namespace is not enough, and a pod of the wrong kind is not either."""
    pods = {"web": (Labelled("api-1", {"app": "api"}), Labelled("db-0", {"app": "db"}))}
    (found,) = told(Selected((BOTH,), pods), theirs(pods='{"matchLabels":{"app":"db"}}'))
    assert found.summary == "EgressIP ns and EgressIP theirs both select pod db-0 in namespace web."
    assert told(Selected((BOTH,), pods), theirs(pods='{"matchLabels":{"app":"cron"}}')) == []


def test_what_selectors_alone_tell_gets_an_example() -> None:
    """The narrower one is named first as ever, and the place is among the evidence."""
    (found,) = told(Selected((BOTH,)), theirs("{}"))
    assert found.subject == "EgressIP ns and EgressIP theirs"
    assert found.evidence[-1] == "for example: every pod of namespace web"


def test_objects_of_others_may_meet() -> None:
    """Nothing of ours is concerned, and nothing is asked about them."""
    one, other = theirs(), theirs('{"matchLabels":{"env":"x"}}', name="x")
    assert told(Selected((Labelled("n", {"team": "legacy", "env": "x"}),)), one, other) == []


def test_a_policy_without_an_object_is_compared_already() -> None:
    """What a visit is about to make is told before it is there; an object on its way out is not."""
    wished = make.policy("new")
    (made,) = contenders_of([replace(theirs(), deleting=True)], [wished])
    assert (made.name, made.ours) == ("new", True)
    (named,) = contenders_of([theirs(name="new")], [wished])
    assert named.ours
    assert named.namespaces == parse_selector(LEGACY)


def test_labels_that_cannot_be_read_are_one_warning_and_nothing_else() -> None:
    """A ClusterRole older than the check must not stop a repair; what selectors alone tell is told all the same."""
    (found,) = told(Unknown("namespaces", "403: forbidden", "cluster API"))
    assert (found.kind, found.severity, found.subject) == (Kind.SECTION_UNKNOWN, Severity.WARNING, "namespaces")
    assert "verb list on namespaces" in found.todo
    assert "deploy/rbac.yaml" in found.todo
    unread = Selected((BOTH,), Unknown("pods", "403: forbidden", "cluster API"))
    overlap, warning = told(unread)
    assert overlap.summary.endswith("every pod of namespace web.")
    assert warning.subject == "pods"
    assert {f.kind for f in told(unread, theirs("{}"))} == {Kind.SELECTOR_OVERLAP, Kind.SECTION_UNKNOWN}
    assert (found.patience_seconds, warning.patience_seconds) == (0, 0)
    (passing,) = told(Unknown("namespaces", "no answer in time", "cluster API", may_pass=True))
    assert passing.patience_seconds == 300


def test_namespaces_that_were_not_looked_at_are_said() -> None:
    """A bounded look never passes for a complete one."""
    (found,) = told(Selected((BOTH,), {"web": ()}, skipped=3), theirs(pods='{"matchLabels":{"app":"db"}}'))
    assert found.severity is Severity.INFO
    assert "Pods of 1 namespaces" in found.summary
    assert "3 more" in found.summary
    unread = Selected((BOTH,), Unknown("pods", "503", "cluster API"), skipped=3)
    assert "Pods of 0 namespaces" in [f.summary for f in told(unread)][-1]


def contender(name: str, namespaces: str, pods: str = "{}", *, ours: bool = True) -> Contender:
    return Contender(name, ours, parse_selector(namespaces), parse_selector(pods))


def test_each_pair_is_looked_at_before_any_is_looked_at_twice() -> None:
    """Pods are asked for where they alone decide: not where a whole namespace is shared."""
    db, api = '{"matchLabels":{"app":"db"}}', '{"matchLabels":{"role":"api"}}'
    listed = (
        contender("a", '{"matchLabels":{"x":"1"}}', db),
        contender("b", '{"matchLabels":{"y":"1"}}', api),
        contender("c", '{"matchLabels":{"z":"1"}}', db),
        contender("d", '{"matchLabels":{"w":"1"}}', "{}"),
        contender("e", '{"matchLabels":{"v":"1"}}', "{}"),
        contender("f", '{"matchLabels":{"x":"1"}}', api, ours=False),
        contender("g", '{"matchLabels":{"v":"1"}}', api, ours=False),
    )
    spaces = (
        Labelled("n1", {"x": "1", "y": "1"}),
        Labelled("n2", {"x": "1", "y": "1"}),
        Labelled("n3", {"y": "1", "z": "1"}),
        Labelled("n4", {"w": "1", "v": "1"}),
        Labelled("n5", {"w": "2"}),
    )
    asked = namespaces_in_question(listed, spaces)
    assert asked == ("n1", "n3", "n4", "n2")
    whole = (listed[3], listed[4])
    assert namespaces_in_question(whole, spaces) == ()


_requirements = st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"), max_size=2)
_selectors = st.one_of(
    _requirements.map(lambda labels: json.dumps({"matchLabels": labels})),
    st.sampled_from(["NotIn", "In"]).map(
        lambda operator: json.dumps({"matchExpressions": [{"key": "x", "operator": operator, "values": ["1", "2"]}]})
    ),
)
_contenders = st.lists(st.tuples(_selectors, _selectors, st.booleans()), max_size=5).map(
    lambda made: tuple(contender(f"c{n}", spaces, pods, ours=ours) for n, (spaces, pods, ours) in enumerate(made))
)
_labelled = st.lists(st.dictionaries(st.sampled_from("xy"), st.sampled_from("123")), max_size=4).map(
    lambda made: tuple(Labelled(f"n{number}", labels) for number, labels in enumerate(made))
)


@given(_contenders, _labelled, _labelled)
def test_indexes_find_what_comparing_everything_finds(
    listed: tuple[Contender, ...], spaces: tuple[Labelled, ...], pods: tuple[Labelled, ...]
) -> None:
    """No short cut hides a meeting: not the index, not the pods that were not asked for, not the read left out."""
    everywhere = {space.name: pods for space in spaces}
    asked = namespaces_in_question(listed, spaces)
    found = meetings(listed, spaces, {name: everywhere[name] for name in asked})
    assert set(found) == _by_hand(listed, spaces, everywhere)
    if found:
        assert any_may_meet(listed)


def _by_hand(
    listed: tuple[Contender, ...], spaces: tuple[Labelled, ...], pods: Mapping[str, tuple[Labelled, ...]]
) -> set[tuple[str, str]]:
    found = set()
    for one, other in combinations(listed, 2):
        for space in spaces:
            shared = selects(one.namespaces, space.labels) and selects(other.namespaces, space.labels)
            whole = not (one.pods or other.pods)
            pod = any(selects(one.pods, p.labels) and selects(other.pods, p.labels) for p in pods[space.name])
            if (one.ours or other.ours) and shared and (whole or pod):
                found.add((one.name, other.name))
    return found
