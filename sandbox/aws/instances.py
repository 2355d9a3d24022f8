"""The life of an instance: pending, running, shutting-down, terminated,
forgotten, with its interfaces, and the events said on the way.

moto knows only running and terminated, says nothing, and leaves a
terminated instance its interface and addresses for ever.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import moto.ec2.models.instances as moto_instances
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState

from sandbox.aws.address_plane import choose_free
from sandbox.aws.correction import Correction
from sandbox.aws.events import InstanceStateChange
from sandbox.timeline import Timeline
from sandbox.timing import Ec2Timing

PENDING = ("pending", 0)
RUNNING = ("running", 16)
SHUTTING_DOWN = ("shutting-down", 32)


class InstanceLife:
    """Drives every instance of the sandbox through its states on the sandbox's timeline.

    Steps run under the *exclusive* guard, so that no request sees half a change. *tell* hears of every state entered,
    in order and within the guard: it must only take note.
    """

    def __init__(
        self,
        timeline: Timeline,
        timing: Ec2Timing,
        exclusive: Callable[[], AbstractContextManager[None]],
        tell: Callable[[InstanceStateChange], None],
    ) -> None:
        self._timeline = timeline
        self._timing = timing
        self._exclusive = exclusive
        self._tell = tell

    def launched(self, instance: Any) -> None:
        """RunInstances made *instance*."""
        self._enter(instance, PENDING)
        self._after(self._timing.running_after_seconds, lambda: self._start_running(instance))

    def terminating(self, instance: Any, finish: Callable[[Any], Any]) -> None:
        """TerminateInstances named *instance*; *finish* is moto's own termination."""
        self._enter(instance, SHUTTING_DOWN)
        self._after(self._timing.terminated_after_seconds, lambda: self._end(instance, finish))

    def told(self, instance: Any, *states: str) -> None:
        """Say that *instance* went through *states*, without changing it."""
        for state in states:
            backend = instance.ec2_backend
            change = InstanceStateChange(
                instance.id, state, backend.account_id, backend.region_name, self._timeline.now()
            )
            self._tell(change)

    def _enter(self, instance: Any, state: tuple[str, int]) -> None:
        instance._state.name, instance._state.code = state
        self.told(instance, state[0])

    def _after(self, delay_seconds: float, step: Callable[[], None]) -> None:
        """A delay of zero means at once: callers that do not care about time get moto's old behaviour."""
        if delay_seconds <= 0:
            step()
        else:
            self._timeline.call_later(delay_seconds, lambda: self._guarded(step))

    def _guarded(self, step: Callable[[], None]) -> None:
        with self._exclusive():
            step()

    def _start_running(self, instance: Any) -> None:
        if instance._state.name == PENDING[0]:  # not terminated meanwhile
            self._enter(instance, RUNNING)

    def _end(self, instance: Any, finish: Callable[[Any], Any]) -> None:
        for interface in list(instance.nics.values()):
            if interface.delete_on_termination:
                interface.delete()
            else:
                instance.detach_eni(interface)
        instance.nics = {}
        instance._subnet_id = None  # a terminated instance is in no subnet any more
        finish(instance)
        self.told(instance, "terminated")
        self._timeline.call_later(
            self._timing.forgotten_after_seconds, lambda: self._guarded(lambda: _forget(instance))
        )

    def corrections(self) -> tuple[Correction, ...]:
        """What has to change in moto for instances to live this life."""
        return (
            Correction(
                InstanceBackend,
                "run_instances",
                self._run_instances,
                "was running at once; exhaustion left half a launch",
            ),
            Correction(Instance, "terminate", self._terminate, "kept interface and addresses for ever"),
            Correction(Instance, "stop", self._announced("stopping", "stopped"), "said nothing"),
            Correction(Instance, "start", self._announced("pending", "running"), "said nothing"),
            *(
                Correction(Instance, name, _without_interface, "crashed without an interface")
                for name in _OF_FIRST_INTERFACE
            ),
            Correction(moto_instances, "utcnow", self._utcnow, "knows no clock but the machine's"),
        )

    def _run_instances(self, original: Any) -> Any:
        def run_instances(backend: Any, image_id: str, count: int, *args: Any, **kwargs: Any) -> Any:
            if not kwargs.get("nics"):
                kwargs["subnet_id"] = kwargs.get("subnet_id") or _default_subnet_id(backend, kwargs.get("placement"))
            of_interfaces = [spec["SubnetId"] for spec in kwargs.get("nics") or [] if "SubnetId" in spec]
            subnet_id = kwargs.get("subnet_id") or next(iter(of_interfaces), None)
            if subnet_id and not kwargs.get("private_ip"):
                # All or nothing: a launch that does not fit must not leave half of its instances.
                choose_free(backend.get_subnet(subnet_id), count)
            reservation = original(backend, image_id, count, *args, **kwargs)
            for instance in reservation.instances:
                self.launched(instance)
            return reservation

        return run_instances

    def _terminate(self, original: Any) -> Any:
        def terminate(instance: Any) -> Any:
            previous = copy.copy(instance._state)
            if previous.name not in (SHUTTING_DOWN[0], "terminated"):
                self.terminating(instance, original)
            return previous

        return terminate

    def _utcnow(self, _original: Any) -> Any:
        return lambda: datetime.fromtimestamp(self._timeline.now(), UTC).replace(tzinfo=None)

    def _announced(self, *states: str) -> Callable[[Any], Any]:
        def make(original: Any) -> Any:
            def change(instance: Any) -> InstanceState:
                previous = original(instance)
                self.told(instance, *states)
                return previous

            return change

        return make


_OF_FIRST_INTERFACE = ("private_ip_address", "private_dns_name", "public_ip", "public_ip_address")


def _default_subnet_id(backend: Any, zone: str | None) -> str | None:
    """The default subnet of *zone*, or of any zone: where a launch that names no subnet goes."""
    subnets = backend.get_default_subnets()
    found = subnets.get(zone) if zone else next(iter(subnets.values()), None)
    return None if found is None else str(found.id)


def _without_interface(original: Any) -> Any:
    return property(lambda instance: original.fget(instance) if instance.nics else None)


def _forget(instance: Any) -> None:
    backend = instance.ec2_backend
    for reservation_id, reservation in list(backend.reservations.items()):
        if instance in reservation.instances:
            reservation.instances.remove(instance)
            if not reservation.instances:
                del backend.reservations[reservation_id]
    backend.tags.pop(instance.id, None)
