"""How long EC2 takes, for whatever plays EC2: the one on the wire (`sandbox.aws`) and the one in memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Ec2Timing:
    """How long EC2 takes, in seconds; may be changed while the
    sandbox runs. On AWS the first two are seconds to minutes.
    """

    running_after_seconds: float = 0.0
    """From RunInstances to the state `running`."""
    terminated_after_seconds: float = 0.0
    """From TerminateInstances until the interface and its addresses are gone and the state is `terminated`."""
    forgotten_after_seconds: float = 3600.0
    """How long a terminated instance can still be described, with its tags and without interfaces."""
