"""AWS on loopback: moto's server in this process, corrected where our product would notice the difference.

`server` is the way in (`AwsSandbox`); `moto_corrections` is the one place that changes moto; `faults` breaks and
records calls. Nothing here knows Kubernetes, ROSA or the product.
"""

from sandbox.aws.events import InstanceStateChange
from sandbox.aws.faults import Call, CallLog, Delay, Drop, Faults, Refusal
from sandbox.aws.server import AwsSandbox
from sandbox.timing import Ec2Timing

__all__ = [
    "AwsSandbox",
    "Call",
    "CallLog",
    "Delay",
    "Drop",
    "Ec2Timing",
    "Faults",
    "InstanceStateChange",
    "Refusal",
]
