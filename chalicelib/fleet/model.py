"""The fields of the fleet file: form, description and example of each.

Belongs here: what can be said of one field, or of fields side by side in a form that JSON Schema knows too. Does not
belong here: what takes several places of the file to judge (`rules`), and what the fields become (`fleet`).

Imported at the first use only: pydantic costs a cold start a tenth of a second, and `intake` reads no fleet file.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from chalicelib.domain.findings import Kind
from chalicelib.domain.spec import ClusterSpec, OcmSpec
from chalicelib.fleet import forms

KEPT: dict[str, Any] = {field.name: field.default for spec in (ClusterSpec, OcmSpec) for field in fields(spec)}
"""Values of fields that nobody sets, from the domain: stated once."""


def said(allowed: str) -> WrapValidator:
    """Whatever is wrong with the value, say what is allowed: one sentence instead of the checks that failed."""

    def check(value: object, inner: ValidatorFunctionWrapHandler) -> object:
        try:
            return inner(value)
        except ValidationError:
            raise PydanticCustomError("allowed", "{allowed}", {"allowed": allowed}) from None

    return WrapValidator(check)


def must(condition: forms.Condition) -> AfterValidator:
    """A condition on a text that patterns can't express."""

    def check(value: str) -> str:
        if not condition(value):
            raise ValueError("condition")
        return value

    return AfterValidator(check)


Name = Annotated[str, Field(pattern=forms.LABEL), said(forms.SAY_LABEL)]
Region = Annotated[str, Field(pattern=forms.REGION, examples=["eu-central-1"]), said(forms.SAY_REGION)]
InfraId = Annotated[str, Field(pattern=forms.LABEL, examples=["prod-x7k2p"]), said(forms.SAY_LABEL)]
RoleArn = Annotated[str, Field(pattern=forms.ROLE_ARN), said(forms.SAY_ROLE_ARN)]
Mode = Annotated[Literal["enforce", "observe"], said("allowed is enforce or observe")]
Share = Annotated[float, Field(ge=0, le=1), said("allowed is a number from 0 to 1")]
BlockPrefix = Annotated[int, Field(ge=28, le=32), said("allowed is a whole number from 28 to 32")]
PerZone = Annotated[int, Field(ge=1, le=20), said("allowed is a whole number from 1 to 20")]
ApiUrl = Annotated[str, Field(pattern=forms.API_URL), said(forms.SAY_API_URL)]
Url = Annotated[str, Field(pattern=forms.URL, max_length=2048), said(forms.SAY_URL)]
SecretPlace = Annotated[str, Field(pattern=forms.PLACE, max_length=2048), said(forms.SAY_PLACE)]
Authorities = Annotated[str, Field(min_length=1), must(forms.is_path_or_pem), said(forms.SAY_AUTHORITIES)]
OcmCluster = Annotated[str, Field(pattern=forms.OCM_CLUSTER), said(forms.SAY_OCM_CLUSTER)]
Pool = Annotated[str, Field(pattern=forms.POOL), said(forms.SAY_POOL)]
LabelKey = Annotated[
    str, Field(pattern=forms.LABEL_KEY, max_length=317), must(forms.is_short_prefix), said(forms.SAY_LABEL_KEY)
]
LabelValue = Annotated[str, Field(pattern=forms.LABEL_VALUE), said(forms.SAY_LABEL_VALUE)]
InstanceType = Annotated[str, Field(pattern=forms.INSTANCE_TYPE), said(forms.SAY_INSTANCE_TYPE)]
Zone = Annotated[str, Field(pattern=forms.ZONE), said(forms.SAY_ZONE)]
SubnetId = Annotated[str, Field(pattern=forms.SUBNET), said(forms.SAY_SUBNET)]
Replicas = Annotated[int, Field(ge=0, le=forms.MOST_REPLICAS), said(forms.SAY_REPLICAS)]
Effect = Annotated[
    Literal["NoSchedule", "PreferNoSchedule", "NoExecute"],
    said("allowed is NoSchedule, PreferNoSchedule or NoExecute"),
]
Operator = Annotated[
    Literal["In", "NotIn", "Exists", "DoesNotExist"], said("allowed is In, NotIn, Exists or DoesNotExist")
]
Address = Annotated[
    str,
    Field(pattern=forms.ADDRESS, examples=["10.10.100.253"], json_schema_extra={"not": {"pattern": forms.LINK_LOCAL}}),
    must(forms.is_not_link_local),
    said(forms.SAY_ADDRESS),
]


Why = Annotated[str, Field(min_length=1, max_length=200), must(forms.is_one_line), said(forms.SAY_WHY)]
Day = Annotated[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], said(forms.SAY_DAY)]
WallClock = Annotated[
    str,
    Field(pattern=forms.WALL_CLOCK, examples=["2026-03-07T22:00", "22:00"]),
    must(forms.is_on_the_calendar),
    said(forms.SAY_WALL_CLOCK),
]
TimeZone = Annotated[
    str,
    Field(pattern=forms.TIME_ZONE, examples=["Europe/Berlin"]),
    must(forms.is_time_zone),
    said(forms.SAY_TIME_ZONE),
]
KindName = Annotated[
    str, Field(json_schema_extra={"enum": [kind.value for kind in Kind]}), must(forms.is_kind), said(forms.SAY_KIND)
]
SeverityName = Annotated[Literal["critical", "warning"], said(forms.SAY_SEVERITY)]


class Strict(BaseModel):
    """No unknown fields, no conversions: "28" is no number and 28 no text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Requirement(Strict):
    """One condition on a label. In and NotIn take values, Exists and DoesNotExist take none."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"operator": {"enum": ["In", "NotIn"]}}},
            "then": {"required": ["values"], "properties": {"values": {"minItems": 1}}},
            "else": {"properties": {"values": {"maxItems": 0}}},
        }
    )
    key: LabelKey = Field(description="Label key, such as app.kubernetes.io/name.")
    operator: Operator = Field(description="In, NotIn, Exists or DoesNotExist.")
    values: list[LabelValue] | None = Field(None, description="Label values, for In and NotIn.")


class LabelSelector(Strict):
    """Kubernetes' LabelSelector: all of its conditions must hold. `{}` selects everything."""

    match_labels: dict[LabelKey, LabelValue] | None = Field(
        None,
        alias="matchLabels",
        min_length=1,
        json_schema_extra={"additionalProperties": False},  # besides those that fit the pattern of a label key
        description="Labels by key that must be there with exactly this value.",
        examples=[{"kubernetes.io/metadata.name": "payments"}],
    )
    match_expressions: list[Requirement] | None = Field(
        None, alias="matchExpressions", min_length=1, description="Further conditions on labels."
    )


class Policy(Strict):
    """One EgressIP object. Either `addresses` or `per_zone` is given."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["addresses"]}, {"required": ["per_zone"]}]})
    name: Name = Field(description="Name of the EgressIP object.", examples=["demo-egress-ns"])
    namespaces: LabelSelector = Field(description="Namespaces that leave by these addresses; `{}` is every namespace.")
    pods: LabelSelector | None = Field(None, description="Pods of these namespaces; all of them by default.")
    addresses: list[Address] | None = Field(
        None,
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="The addresses, in this order. Each must lie in a subnet of the cluster's labelled nodes.",
        examples=[["10.10.100.253", "10.10.150.253", "10.10.200.253"]],
    )
    per_zone: PerZone | None = Field(
        None, description="Addresses to choose in each zone that has labelled nodes; chosen once, then kept."
    )


class Autoscaling(Strict):
    """Bounds of the pool's autoscaler."""

    min: Replicas = Field(description="Nodes at least.")
    max: Replicas = Field(description="Nodes at most; not below `min`.")


class Taint(Strict):
    """One taint of the pool's nodes."""

    key: LabelKey = Field(description="Key of the taint.", examples=["egress"])
    value: LabelValue = Field("", description="Value of the taint; empty by default.")
    effect: Effect = Field(description="NoSchedule, PreferNoSchedule or NoExecute.")


class PoolCreation(Strict):
    """What the pool is made like where there is none of its name. It is never changed, scaled or deleted afterwards."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"oneOf": [{"required": ["zones"]}, {"required": ["subnets"]}]},
                {"oneOf": [{"required": ["replicas"]}, {"required": ["autoscaling"]}]},
            ]
        }
    )
    instance_type: InstanceType = Field(
        description="EC2 instance type: it decides how many egress addresses a node carries.", examples=["m5.xlarge"]
    )
    zones: list[Zone] | None = Field(
        None,
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="Availability Zones of its nodes. On HCP each zone becomes a pool of its own.",
        examples=[["eu-central-1a", "eu-central-1b", "eu-central-1c"]],
    )
    subnets: list[SubnetId] | None = Field(
        None,
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="Subnets of its nodes instead. On HCP each subnet becomes a pool of its own.",
    )
    replicas: Replicas | None = Field(None, description="Nodes of each pool.")
    autoscaling: Autoscaling | None = Field(None, description="Bounds of an autoscaler instead.")
    taints: list[Taint] | None = Field(None, min_length=1, description="Taints of its nodes.")
    labels: dict[LabelKey, LabelValue] | None = Field(
        None,
        min_length=1,
        json_schema_extra={"additionalProperties": False},  # besides those that fit the pattern of a label key
        description="Labels of its nodes, beside the one for egress.",
        examples=[{"team": "network"}],
    )


class MachinePool(Strict):
    """One machine pool whose nodes carry egress addresses."""

    name: Pool = Field(description="Id of the pool, as `rosa list machinepools` shows it.", examples=["egress-a"])
    create: PoolCreation | None = Field(
        None, description="What it is made like if there is none of that name; needs `ocm` with credentials."
    )


class Maintenance(Strict):
    """Planned work: while it lasts, findings of the kinds and severities listed are not told."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["days"]},
            "then": {"properties": {key: {"pattern": forms.TIME_OF_DAY} for key in ("from", "until")}},
            "else": {"properties": {key: {"pattern": forms.DATE_TIME} for key in ("from", "until")}},
        }
    )
    why: Why = Field(description="What is being done; shown wherever a message is held back.")
    starts: WallClock = Field(alias="from", description="When it begins: a date with time, or with `days` a time.")
    until: WallClock = Field(description="When it ends; with `days` on the next day, if it is not later than `from`.")
    time_zone: TimeZone | None = Field(
        None, json_schema_extra={"default": "UTC"}, description="Time zone of both times."
    )
    days: list[Day] | None = Field(None, min_length=1, description="Every week, beginning on these days.")
    kinds: list[KindName] | None = Field(
        None, min_length=1, description="Kinds of findings that are not told; every kind by default."
    )
    severities: list[SeverityName] | None = Field(
        None, min_length=1, description="Severities that are not told; every one by default."
    )


class ApiDefaults(Strict):
    """What clusters share of `api`."""

    ca: Authorities | None = Field(
        None,
        description="Certificate authorities to trust besides the public ones: PEM text, or the path of a PEM file, "
        "relative to the fleet file.",
    )


class Api(ApiDefaults):
    """How the cluster's API is reached."""

    ca: Authorities | None = Field(None, description="As in defaults; `none` where the default does not apply.")
    url: ApiUrl = Field(
        description="Address of the API server. http is allowed on loopback only.",
        examples=["https://api.prod.abcd.p1.openshiftapps.com:6443"],
    )
    token: SecretPlace = Field(
        description="Where the token of the service account is kept; never the token itself.",
        examples=["secretsmanager:egress-keeper/payments-prod", "file:/run/secrets/token", "env:CLUSTER_TOKEN"],
    )


class OcmDefaults(Strict):
    """What clusters share of `ocm`."""

    credentials: SecretPlace | None = Field(
        None,
        description="Where the OCM service account's client id and secret are kept.",
        examples=["secretsmanager:egress-keeper/ocm"],
    )
    url: Url | None = Field(None, json_schema_extra={"default": KEPT["url"]}, description="OCM's API.")
    token_url: Url | None = Field(
        None, json_schema_extra={"default": KEPT["token_url"]}, description="Where OCM's tokens are issued."
    )


class Ocm(OcmDefaults):
    """How the cluster is known to OCM."""

    cluster: OcmCluster = Field(
        description="The cluster's id in OCM (`rosa describe cluster`), not its name.",
        examples=["2bh6ffvmaaai0bmkt7g179hsl02163f3"],
    )


class Defaults(Strict):
    """Values for every cluster that does not give its own."""

    mode: Mode | None = Field(
        None,
        json_schema_extra={"default": KEPT["mode"]},
        description="`enforce` repairs; `observe` plans and alerts, and changes nothing.",
    )
    region: Region | None = Field(None, description="AWS Region of the clusters.")
    role_arn: RoleArn | None = Field(None, description="Role to assume in the clusters' AWS account.")
    max_change_share: Share | None = Field(
        None,
        json_schema_extra={"default": KEPT["max_change_share"]},
        description="Share of a cluster's serving addresses that one visit may take away without a person's approval.",
    )
    block_prefix: BlockPrefix | None = Field(
        None,
        json_schema_extra={"default": KEPT["block_prefix"]},
        description="Prefix length of the ranges that are reserved for chosen addresses.",
    )
    maintenance: list[Maintenance] | None = Field(
        None, description="Planned work, for clusters that list none of their own."
    )
    api: ApiDefaults | None = Field(None, description="Shared part of `api`.")
    ocm: OcmDefaults | None = Field(
        None, description="Shared part of `ocm`, for the clusters that have an `ocm` of their own."
    )


class Cluster(Strict):
    """One ROSA cluster."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["infra_id"]},
                {"required": ["ocm"], "properties": {"ocm": {"properties": {"cluster": {"pattern": forms.OCM_ID}}}}},
            ]
        }
    )
    name: Name = Field(description="Name in alerts, tags and on the command line.", examples=["payments-prod"])
    region: Region | None = Field(None, description="AWS Region; required here or in defaults.")
    infra_id: InfraId | None = Field(
        None,
        description="Value in the EC2 tag kubernetes.io/cluster/<infra_id> of the cluster's instances. On HCP this is "
        "the OCM cluster id, and taken from ocm.cluster by default.",
    )
    role_arn: RoleArn | None = Field(
        None, description="Role to assume in the cluster's AWS account; `none` where the default does not apply."
    )
    mode: Mode | None = Field(None, description="As in defaults.")
    max_change_share: Share | None = Field(None, description="As in defaults.")
    block_prefix: BlockPrefix | None = Field(None, description="As in defaults.")
    api: Api = Field(description="How the cluster's API is reached.")
    ocm: Ocm | None = Field(None, description="How the cluster is known to OCM.")
    machine_pools: list[MachinePool] | None = Field(None, description="Pools whose nodes carry egress addresses.")
    policies: list[Policy] = Field(
        description="The EgressIP objects wished for; one that is not listed any more is removed."
    )
    maintenance: list[Maintenance] | None = Field(
        None, description="Planned work; an empty list where the default does not apply."
    )


class FleetFile(Strict):
    """The egress addresses wished for, cluster by cluster."""

    model_config = ConfigDict(
        title="egress-keeper fleet file",
        json_schema_extra={
            "anyOf": [
                {"required": ["defaults"], "properties": {"defaults": {"required": ["region"]}}},
                {"properties": {"clusters": {"items": {"required": ["region"]}}}},
            ]
        },
    )
    defaults: Defaults = Field(default_factory=Defaults, description="Values shared by the clusters.")
    clusters: list[Cluster] = Field(min_length=1, description="The clusters.")


def model_at(path: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The model that describes the mapping at *path*; None where a path leads elsewhere."""
    model: type[BaseModel] | None = FleetFile
    for element in path:
        if isinstance(element, int):
            continue
        named = {field.alias or name: field for name, field in model.model_fields.items()} if model else {}
        model = _model_in(named[element].annotation) if element in named else None
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model is not None), None)
