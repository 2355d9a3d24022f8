"""Fleet files with one mistake each: the change to the small good one, and what is told."""

from __future__ import annotations

from typing import Any

from tests.fleet.texts import GONE, OCM_ID, Changes, cluster, policy

C = ("clusters", 0)
P = (*C, "policies", 0)
LABEL = "allowed are 1 to 63 lower-case letters, digits and hyphens, no hyphen first or last"
ADDRESS = (
    "allowed is one IPv4 address such as 10.10.100.253: no prefix length, no leading zeros, "
    "not loopback, link-local or multicast"
)
KEY = (
    "allowed is a label key: up to 63 letters, digits and - _ . with a letter or digit at both ends, "
    "after a DNS name and a slash if it has a prefix"
)
VALUE = "allowed is a label value: up to 63 letters, digits and - _ . with a letter or digit at both ends, or empty"
URL = "allowed is https://HOST or https://HOST:PORT, without path, user or password; http:// on loopback only"
PLACE = "allowed is the place where the secret is kept: secretsmanager:NAME (or its ARN), file:PATH or env:NAME"
PEM_OR_PATH = "allowed is PEM text that begins with -----BEGIN CERTIFICATE-----, the path of such a file, or none"


def cut(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"


def expression(**fields: Any) -> Changes:
    return {(*P, "namespaces"): {"matchExpressions": [fields]}}


POOL = "clusters[0].machine_pools[0].create"
SUBNET = "subnet-0123456789abcdef0"


def made(**fields: Any) -> Changes:
    """A pool that is made over OCM, with some of its fields changed."""
    creation = {"instance_type": "m5.xlarge", "zones": ["eu-central-1a"], "replicas": 2, **fields}
    pool = {"name": "w", "create": {key: value for key, value in creation.items() if value is not GONE}}
    return {(*C, "ocm"): {"cluster": OCM_ID, "credentials": "env:OCM"}, (*C, "machine_pools"): [pool]}


ONE_PROBLEM: list[tuple[str, Changes, str]] = [
    # Names
    ("upper case", {(*C, "name"): "Pay"}, f'clusters[0].name: value "Pay": {LABEL}'),
    ("long name", {(*C, "name"): "a" * 64}, f'clusters[0].name: value "{"a" * 60}…": {LABEL}'),
    ("policy name", {(*P, "name"): "a_b"}, f'clusters[0].policies[0].name: value "a_b": {LABEL}'),
    ("number as name", {(*C, "name"): 5}, (
        f'clusters[0].name: value 5: {LABEL} (YAML reads a bare 5 as no text: write "5")'
    )),
    ("line break", {(*C, "name"): "a\n"}, f'clusters[0].name: value "a\\n": {LABEL}'),
    # Fields that are missing or not known
    ("no name", {(*C, "name"): GONE}, "clusters[0].name: is missing: Name in alerts, tags and on the command line."),
    ("typo", {(*C, "mod"): "observe"}, (
        "clusters[0].mod: unknown field: did you mean mode? allowed are name, region, infra_id, role_arn, mode, "
        "max_change_share, block_prefix, api, ocm, machine_pools, policies, maintenance"
    )),
    ("camel case", {(*P, "namespaceSelector"): {}}, (
        "clusters[0].policies[0].namespaceSelector: unknown field: did you mean namespaces? "
        "allowed are name, namespaces, pods, addresses, per_zone"
    )),
    ("hyphen", {(*C, "block-prefix"): 28}, (
        'clusters[0].block-prefix: unknown field: did you mean block_prefix? allowed are name, region, infra_id, '
        "role_arn, mode, max_change_share, block_prefix, api, ocm, machine_pools, policies, maintenance"
    )),
    ("nothing near", {("zzz",): 1}, "zzz: unknown field: allowed are defaults, clusters"),
    # Wrong kinds
    ("no clusters", {("clusters",): []}, "clusters: is empty: allowed is at least one entry"),
    ("clusters no list", {("clusters",): "a"}, "clusters: is text: allowed is a list"),
    ("api no mapping", {(*C, "api"): "hunter2"}, (
        "clusters[0].api: is text: allowed is a mapping with the fields ca, url, token"
    )),
    ("labels no mapping", {(*P, "namespaces"): {"matchLabels": ["a"]}}, (
        "clusters[0].policies[0].namespaces.matchLabels: is a list: allowed is a mapping of texts to texts"
    )),
    ("policies missing", {(*C, "policies"): GONE}, (
        "clusters[0].policies: is missing: The EgressIP objects wished for; one that is not listed any more is removed."
    )),
    # Single values
    ("mode", {(*C, "mode"): "enforced"}, 'clusters[0].mode: value "enforced": allowed is enforce or observe'),
    ("region", {(*C, "region"): "eu-central-1a"}, (
        'clusters[0].region: value "eu-central-1a": allowed is an AWS Region such as eu-central-1'
    )),
    ("no region", {(*C, "region"): GONE}, (
        "clusters[0]: region is missing: allowed is an AWS Region here or in defaults"
    )),
    ("share", {(*C, "max_change_share"): 1.5}, (
        "clusters[0].max_change_share: value 1.5: allowed is a number from 0 to 1"
    )),
    ("share as text", {(*C, "max_change_share"): "0.5"}, (
        'clusters[0].max_change_share: value "0.5": allowed is a number from 0 to 1'
    )),
    ("share as truth", {(*C, "max_change_share"): True}, (
        "clusters[0].max_change_share: value true: allowed is a number from 0 to 1"
    )),
    ("block", {(*C, "block_prefix"): 27}, (
        "clusters[0].block_prefix: value 27: allowed is a whole number from 28 to 32"
    )),
    ("fraction of a block", {(*C, "block_prefix"): 28.5}, (
        "clusters[0].block_prefix: value 28.5: allowed is a whole number from 28 to 32"
    )),
    ("role", {(*C, "role_arn"): "egress-keeper"}, (
        'clusters[0].role_arn: value "egress-keeper": '
        "allowed is a role such as arn:aws:iam::123456789012:role/egress-keeper, or none"
    )),
    ("per zone", {(*P, "per_zone"): 21, (*P, "addresses"): GONE}, (
        "clusters[0].policies[0].per_zone: value 21: allowed is a whole number from 1 to 20"
    )),
    ("pool", {(*C, "machine_pools"): [{"name": "1st"}]}, (
        'clusters[0].machine_pools[0].name: value "1st": allowed is a machine pool\'s id: '
        "lower-case letters, digits and hyphens, a letter first (or Default)"
    )),
    # Reaching the cluster
    ("http", {(*C, "api", "url"): "http://10.0.0.1"}, f'clusters[0].api.url: value "http://10.0.0.1": {URL}'),
    ("like loopback", {(*C, "api", "url"): "http://localhost.evil.io"}, (
        f'clusters[0].api.url: value "http://localhost.evil.io": {URL}'
    )),
    ("path", {(*C, "api", "url"): "https://a/k8s"}, f'clusters[0].api.url: value "https://a/k8s": {URL}'),
    ("port", {(*C, "api", "url"): "https://a:65536"}, f'clusters[0].api.url: value "https://a:65536": {URL}'),
    ("password", {(*C, "api", "url"): "https://u:pa/ss@a"}, f'clusters[0].api.url: value "https://…@a": {URL}'),
    ("token itself", {(*C, "api", "token"): "sha256~hunter2"}, f"clusters[0].api.token: value (not shown): {PLACE}"),
    ("token a number", {(*C, "api", "token"): 12345}, f"clusters[0].api.token: value (not shown): {PLACE}"),
    ("key as authority", {(*C, "api", "ca"): "-----BEGIN PRIVATE KEY-----\nhunter2\n"}, (
        f"clusters[0].api.ca: value (not shown): {PEM_OR_PATH}"
    )),
    # OCM
    ("no infra id", {(*C, "infra_id"): GONE}, (
        "clusters[0]: infra_id is missing: allowed is to give it, or ocm.cluster (HCP)"
    )),
    ("name as id", {(*C, "infra_id"): GONE, (*C, "ocm"): {"cluster": "my-name"}}, (
        'clusters[0].ocm.cluster: value "my-name" is no cluster id of OCM: allowed are 32 lower-case letters and '
        "digits (`rosa describe cluster`), or infra_id beside ocm"
    )),
    ("id that is no key", {(*C, "ocm"): {"cluster": "a' or '1'='1"}}, (
        "clusters[0].ocm.cluster: value \"a' or '1'='1\": "
        "allowed is the cluster's id in OCM: letters, digits, hyphens and underscores"
    )),
    ("token url", {(*C, "ocm"): {"cluster": OCM_ID, "token_url": "http://sso.example.com"}}, (
        'clusters[0].ocm.token_url: value "http://sso.example.com": allowed is https://HOST[:PORT][/PATH], '
        "without user, password, query or fragment; http:// on loopback only"
    )),
    # Addresses
    ("a number", {(*P, "addresses", 0): 10.5}, (
        f'clusters[0].policies[0].addresses[0]: value 10.5: {ADDRESS} (YAML reads a bare 10.5 as no text: write "10.5")'
    )),
    ("none", {(*P, "addresses"): []}, "clusters[0].policies[0].addresses: is empty: allowed is at least one entry"),
    ("twice in a list", {(*P, "addresses", 1): "10.0.0.9"}, (
        'clusters[0].policies[0].addresses[1]: value "10.0.0.9" is at clusters[0].policies[0].addresses[0] already: '
        "allowed is each address of a cluster once"
    )),
    ("twice in a cluster", {(*C, "policies", 1): policy("q")}, (
        'clusters[0].policies[1].addresses[0]: value "10.0.0.9" is at clusters[0].policies[0].addresses[0] already: '
        "allowed is each address of a cluster once"
    )),
    ("both", {(*P, "per_zone"): 1}, "clusters[0].policies[0]: both are there: allowed is either addresses or per_zone"),
    ("neither", {(*P, "addresses"): GONE}, (
        "clusters[0].policies[0]: neither is there: allowed is either addresses or per_zone"
    )),
    # Selectors
    ("no namespaces", {(*P, "namespaces"): GONE}, (
        "clusters[0].policies[0].namespaces: is missing: "
        "Namespaces that leave by these addresses; `{}` is every namespace."
    )),
    ("null namespaces", {(*P, "namespaces"): None}, (
        "clusters[0].policies[0].namespaces: no value: give one, or remove the line"
    )),
    ("empty labels", {(*P, "namespaces"): {"matchLabels": {}}}, (
        "clusters[0].policies[0].namespaces.matchLabels: is empty: allowed is at least one entry"
    )),
    ("empty expressions", {(*P, "pods"): {"matchExpressions": []}}, (
        "clusters[0].policies[0].pods.matchExpressions: is empty: allowed is at least one entry"
    )),
    ("odd brackets", {(*P, "namespaces"): {"matchLabels": {"[key]": "x"}}}, (
        f'clusters[0].policies[0].namespaces.matchLabels["[key]"]: value "[key]": {KEY}'
    )),
    ("a number as value", {(*P, "namespaces"): {"matchLabels": {"port": 8080}}}, (
        f'clusters[0].policies[0].namespaces.matchLabels.port: value 8080: {VALUE} '
        '(YAML reads a bare 8080 as no text: write "8080")'
    )),
    ("truth as value", {(*P, "namespaces"): {"matchLabels": {"on": True}}}, (
        f'clusters[0].policies[0].namespaces.matchLabels.on: value true: {VALUE} '
        '(YAML reads a bare true as no text: write "true")'
    )),
    ("value under a strange key", {(*P, "namespaces"): {"matchLabels": {"a.b/c": "!"}}}, (
        f'clusters[0].policies[0].namespaces.matchLabels["a.b/c"]: value "!": {VALUE}'
    )),
    ("operator", expression(key="a", operator="in", values=["b"]), (
        'clusters[0].policies[0].namespaces.matchExpressions[0].operator: value "in": '
        "allowed is In, NotIn, Exists or DoesNotExist"
    )),
    ("condition no mapping", {(*P, "namespaces"): {"matchExpressions": ["a in (b)"]}}, (
        "clusters[0].policies[0].namespaces.matchExpressions[0]: is text: "
        "allowed is a mapping with the fields key, operator, values"
    )),
    ("In nothing", expression(key="a", operator="In", values=[]), (
        "clusters[0].policies[0].namespaces.matchExpressions[0]: values is missing or empty: "
        "allowed with In is at least one value"
    )),
    ("NotIn nothing", expression(key="a", operator="NotIn"), (
        "clusters[0].policies[0].namespaces.matchExpressions[0]: values is missing or empty: "
        "allowed with NotIn is at least one value"
    )),
    ("Exists values", expression(key="a", operator="Exists", values=["b"]), (
        "clusters[0].policies[0].namespaces.matchExpressions[0].values: is not empty: allowed with Exists are no values"
    )),
    ("expression key", expression(key="a/", operator="Exists"), (
        f'clusters[0].policies[0].namespaces.matchExpressions[0].key: value "a/": {KEY}'
    )),
    # Machine pools to be made
    ("unknown field of a pool", made(size=2), (
        f"{POOL}.size: unknown field: allowed are instance_type, zones, subnets, replicas, autoscaling, taints, labels"
    )),
    ("no instance type", made(instance_type=GONE), (
        f"{POOL}.instance_type: is missing: EC2 instance type: it decides how many egress addresses a node carries."
    )),
    ("instance type", made(instance_type="m5"), (
        f'{POOL}.instance_type: value "m5": allowed is an EC2 instance type such as m5.xlarge'
    )),
    ("zone", made(zones=["a"]), (
        f'{POOL}.zones[0]: value "a": allowed is an Availability Zone such as eu-central-1a'
    )),
    ("zone of another Region", made(zones=["us-east-1a"]), (
        f'{POOL}.zones[0]: value "us-east-1a" is in another Region: allowed is a zone of eu-central-1'
    )),
    ("zone given twice", made(zones=["eu-central-1a", "eu-central-1a"]), (
        f'{POOL}.zones[1]: value "eu-central-1a" is at {POOL}.zones[0] already: allowed is each zone once'
    )),
    ("no zone at all", made(zones=[]), f"{POOL}.zones: is empty: allowed is at least one entry"),
    ("subnet", made(zones=GONE, subnets=["10.0.0.0/24"]), (
        f'{POOL}.subnets[0]: value "10.0.0.0/24": allowed is the id of a subnet: subnet- and 8 to 17 hexadecimal digits'
    )),
    ("subnet given twice", made(zones=GONE, subnets=[SUBNET, SUBNET]), (
        f'{POOL}.subnets[1]: value "{SUBNET}" is at {POOL}.subnets[0] already: allowed is each subnet once'
    )),
    ("zones and subnets", made(subnets=[SUBNET]), f"{POOL}: both are there: allowed is either zones or subnets"),
    ("no place", made(zones=GONE), f"{POOL}: neither is there: allowed is either zones or subnets"),
    ("replicas and autoscaling", made(autoscaling={"min": 1, "max": 2}), (
        f"{POOL}: both are there: allowed is either replicas or autoscaling"
    )),
    ("no size", made(replicas=GONE), f"{POOL}: neither is there: allowed is either replicas or autoscaling"),
    ("replicas", made(replicas=501), f"{POOL}.replicas: value 501: allowed is a whole number from 0 to 500"),
    ("replicas as text", made(replicas="3"), f'{POOL}.replicas: value "3": allowed is a whole number from 0 to 500'),
    ("bounds", made(replicas=GONE, autoscaling={"min": 3, "max": 2}), (
        f"{POOL}.autoscaling: min 3 is more than max 2: allowed is a min up to max"
    )),
    ("effect", made(taints=[{"key": "a", "effect": "No"}]), (
        f'{POOL}.taints[0].effect: value "No": allowed is NoSchedule, PreferNoSchedule or NoExecute'
    )),
    ("key of a label", made(labels={"a b": "x"}), f'{POOL}.labels["a b"]: value "a b": {KEY}'),
    ("value of a label", made(labels={"a": "-x"}), f'{POOL}.labels.a: value "-x": {VALUE}'),
    ("pool without OCM", {(*C, "machine_pools"): made()[(*C, "machine_pools")]}, (
        f"{POOL}: a machine pool is made over OCM: allowed only with ocm and its credentials"
    )),
    ("pool listed too", {**made(), (*C, "machine_pools", 1): {"name": "w-a"}}, (
        f'{POOL}.zones[0]: value "eu-central-1a" becomes pool w-a on HCP, which is listed too: allowed is once'
    )),
    # Clusters side by side
    ("cluster twice", {("clusters", 1): cluster("a", infra_id="b", api={"url": "https://b", "token": "env:B"})}, (
        'clusters[1].name: value "a" is at clusters[0].name already: allowed is each cluster name once'
    )),
    ("policy twice", {(*C, "policies", 1): policy(addresses=["10.0.0.8"])}, (
        'clusters[0].policies[1].name: value "p" is at clusters[0].policies[0].name already: '
        "allowed is each policy name of a cluster once"
    )),
    ("pool twice", {(*C, "machine_pools"): [{"name": "w"}, {"name": "w"}]}, (
        'clusters[0].machine_pools[1].name: value "w" is at clusters[0].machine_pools[0].name already: '
        "allowed is each machine pool once"
    )),
    ("infra id twice", {("clusters", 1): cluster("b", infra_id="a-x7k2p")}, (
        'clusters[1].infra_id: value "a-x7k2p" and region eu-central-1 are those of clusters[0] already: '
        "allowed is each cluster once"
    )),
    ("infra id and OCM id", {
        (*C, "infra_id"): OCM_ID,
        ("clusters", 1): {k: v for k, v in cluster("b", ocm={"cluster": OCM_ID}).items() if k != "infra_id"},
    }, (
        f'clusters[1].ocm.cluster: value "{OCM_ID}" and region eu-central-1 are those of clusters[0] already: '
        "allowed is each cluster once"
    )),
    ("OCM id twice", {
        (*C, "ocm"): {"cluster": OCM_ID}, ("clusters", 1): cluster("b", ocm={"cluster": OCM_ID}),
    }, (
        f'clusters[1].ocm.cluster: value "{OCM_ID}" and region eu-central-1 are those of clusters[0] already: '
        "allowed is each cluster once"
    )),
    ("API twice", {("clusters", 1): cluster("b", api={"url": "https://API.a.example.com:6443/", "token": "env:B"})}, (
        'clusters[1].api.url: value "https://API.a.example.com:6443/" is at clusters[0].api.url already: '
        "allowed is each cluster once"
    )),
]  # fmt: skip

ONE_PROBLEM += [
    (f"address {text}", {(*P, "addresses", 0): text}, (
        f'clusters[0].policies[0].addresses[0]: value "{text}": {ADDRESS}'
    ))
    for text in (
        "10.0.0.1/32", "010.0.0.1", "10.0.0.1 ", "10.0.1", "10.0.0.256", "0.1.2.3", "127.0.0.1", "169.254.1.1",
        "224.0.0.1", "255.255.255.255", "fe80::1", "::ffff:10.0.0.1", "١٠.0.0.1", "",
    )
]  # fmt: skip

ONE_PROBLEM += [
    (f"label key {key[:20]}", {(*P, "namespaces"): {"matchLabels": {key: "x"}}}, (
        f'clusters[0].policies[0].namespaces.matchLabels["{cut(key)}"]: value "{cut(key)}": {KEY}'
    ))
    for key in ("bad key!", "", "/a", "a/", "A.io/x", "a/b/c", "a" * 64, ".".join(["a" * 9] * 26) + "/x")
]  # fmt: skip

ONE_PROBLEM += [
    (f"label value {value[:20]}", {(*P, "namespaces"): {"matchLabels": {"a": value}}}, (
        f'clusters[0].policies[0].namespaces.matchLabels.a: value "{cut(value)}": {VALUE}'
    ))
    for value in ("-x", "x-", "a b", "a/b", "x" * 64)
]  # fmt: skip

WINDOW = {"why": "work", "from": "2026-03-07T22:00", "until": "2026-03-08T04:00"}
CLOCK = 'allowed is a date with time such as "2026-03-07T22:00", or with days a time such as "22:00", in quotes'

ONE_PROBLEM += [
    (f"window {name}", {(*C, "maintenance"): [{**WINDOW, **change}]}, f"clusters[0].maintenance[0].{told}")
    for name, change, told in (
        ("without reason", {"why": ""}, 'why: value "": allowed is one line of 1 to 200 characters'),
        ("on no calendar", {"from": "2026-02-29T22:00"}, f'from: value "2026-02-29T22:00": {CLOCK}'),
        ("with offset", {"from": "2026-03-07T22:00Z"}, f'from: value "2026-03-07T22:00Z": {CLOCK}'),
        ("of a zone nobody knows", {"time_zone": "Europe/Berln"}, (
            'time_zone: value "Europe/Berln": allowed is a name of the time zone database, such as Europe/Berlin or UTC'
        )),
        ("on a day there is not", {"days": ["sunday"], "from": "22:00", "until": "04:00"}, (
            'days[0]: value "sunday": allowed is one of mon, tue, wed, thu, fri, sat, sun'
        )),
        ("of no kind", {"kinds": ["nodes"]}, (
            'kinds[0]: value "nodes": allowed is a kind of finding, such as node-unusable (docs/runbooks)'
        )),
        ("of no severity", {"severities": ["info"]}, 'severities[0]: value "info": allowed is critical or warning'),
        ("weekly with a date", {"days": ["sat"], "until": "04:00"}, (
            'from: value "2026-03-07T22:00": allowed with days is a time such as "22:00"'
        )),
        ("once without a date", {"until": "04:00"}, (
            'until: value "04:00": allowed without days is a date with time, or days beside it'
        )),
        ("that ends first", {"until": "2026-03-07T22:00"}, (
            'until: value "2026-03-07T22:00": allowed is a time after from'
        )),
    )
]  # fmt: skip
