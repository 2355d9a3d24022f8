"""How long a ROSA cluster takes for each step of a node's life. EC2's own times are `sandbox.aws.Ec2Timing`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RosaTiming:
    """Seconds on the sandbox's timeline. The joining steps follow each other, the first begins when EC2 says `running`.

    Zero everywhere (the default) means that a step is taken as soon as the one before: a node is there at once.
    """

    registers_seconds: float = 0.0
    """Until kubelet creates the Node, tainted and not ready."""
    initialised_seconds: float = 0.0
    """Until the cloud controller sets providerID and zone and takes the `uninitialized` taint away."""
    labelled_seconds: float = 0.0
    """Until the pool's labels are on the node."""
    networked_seconds: float = 0.0
    """Until OVN-Kubernetes has written its annotations (`host-cidrs` and others)."""
    ready_seconds: float = 0.0
    """Until Ready is True."""
    drain_seconds: float = 0.0
    """From the cordon to TerminateInstances."""
    unreachable_seconds: float = 0.0
    """From TerminateInstances until the node is seen to be gone (Ready Unknown)."""
    deleted_seconds: float = 0.0
    """From then until the Node object is deleted."""
    relabelled_seconds: float = 0.0
    """Classic: from a change of the pool's labels until the nodes that exist follow."""

    @classmethod
    def brisk(cls) -> RosaTiming:
        """For watching: each step visible, a node ready within ten seconds."""
        return cls(2.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 4.0, 3.0)

    @classmethod
    def realistic(cls) -> RosaTiming:
        """About what a cluster on AWS takes: four to five minutes to join, two to leave, one for a pool's new label."""
        return cls(150.0, 15.0, 10.0, 45.0, 20.0, 45.0, 40.0, 60.0, 60.0)


IMMEDIATE = RosaTiming()
"""Every step as soon as the one before; what a cluster stands up with."""
