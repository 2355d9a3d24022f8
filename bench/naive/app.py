"""The functions as the quick starts of AWS, Powertools and the Kubernetes client have one begin.

Everything at the top, because that is where they have it: clients of every service in use, Logger, Metrics and Tracer,
the typed Kubernetes API. It answers the capacity question as ours does, and sends a message as ours does.
"""

import json
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from kubernetes import client

logger = Logger()
tracer = Tracer()
metrics = Metrics()

ec2 = boto3.client("ec2")
sqs = boto3.client("sqs")
sns = boto3.client("sns")
dynamodb = boto3.client("dynamodb")
secrets = boto3.client("secretsmanager")

configuration = client.Configuration()
configuration.host = os.environ["NAIVE_API_URL"]
configuration.api_key = {"authorization": secrets.get_secret_value(SecretId=os.environ["NAIVE_SECRET"])["SecretString"]}
configuration.api_key_prefix = {"authorization": "Bearer"}
api = client.ApiClient(configuration)
core = client.CoreV1Api(api)
custom = client.CustomObjectsApi(api)

ASSIGNABLE = "k8s.ovn.org/egress-assignable"
EGRESS_CONFIG = "cloud.network.openshift.io/egress-ipconfig"


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def forward(event: Any, context: Any) -> None:  # noqa: ARG001 - Lambda passes both
    """Put the event on the queue."""
    sqs.send_message(QueueUrl=os.environ["KEEPER_EVENTS_QUEUE_URL"], MessageBody=json.dumps(event))
    logger.info("forwarded")


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def capacity(event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes both
    """What each node can carry, carries, and could take now."""
    nodes = core.list_node().items
    cpics = custom.list_cluster_custom_object("cloud.network.openshift.io", "v1", "cloudprivateipconfigs")["items"]
    by_ec2 = capacity_by_ec2({cpic["metadata"]["name"] for cpic in cpics})
    rows = []
    for node in sorted(nodes, key=lambda node: node.metadata.name):
        announced = json.loads(node.metadata.annotations[EGRESS_CONFIG])[0]["capacity"]["ipv4"]
        may_carry = max(0, min(announced, by_ec2[node.spec.provider_id.rpartition("/")[2]]))
        carried = sum(cpic["spec"]["node"] == node.metadata.name for cpic in cpics)
        ready = any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions)
        rows.append(
            {
                "node": node.metadata.name,
                "zone": node.metadata.labels["topology.kubernetes.io/zone"],
                "capacity": may_carry,
                "carried": carried,
                "headroom": may_carry - carried,
                "eligible": ready and ASSIGNABLE in node.metadata.labels,
            }
        )
    return {"statusCode": 200, "body": json.dumps({"nodes": rows})}


def capacity_by_ec2(egress_addresses: set[str]) -> dict[str, int]:
    """Addresses by instance: limit of its type less what is on its first interface and is no egress address."""
    filters = [{"Name": f"tag:kubernetes.io/cluster/{os.environ['NAIVE_INFRA_ID']}", "Values": ["owned"]}]
    found = ec2.describe_instances(Filters=filters)["Reservations"]
    instances = [instance for reservation in found for instance in reservation["Instances"]]
    types = ec2.describe_instance_types(InstanceTypes=sorted({instance["InstanceType"] for instance in instances}))
    limits = {
        described["InstanceType"]: described["NetworkInfo"]["Ipv4AddressesPerInterface"]
        for described in types["InstanceTypes"]
    }
    left = {}
    for instance in instances:
        addresses = {a["PrivateIpAddress"] for a in instance["NetworkInterfaces"][0]["PrivateIpAddresses"]}
        left[instance["InstanceId"]] = limits[instance["InstanceType"]] - len(addresses - egress_addresses)
    return left
