"""The situations from which a visit is broken: how each begins, and what is broken in it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.faults import acts
from sandbox.faults.calls import CLUSTER, OCM, CallName, Trouble
from sandbox.faults.lab import Lab

Act = Callable[[Lab], None]

WRITES = frozenset({Trouble.KILLED_BEFORE, Trouble.KILLED_AFTER, Trouble.DONE})
READS = frozenset({Trouble.STALE})
WITHOUT_ANSWER = frozenset(Trouble) - {Trouble.STALE, Trouble.MEANWHILE}
UNREAD = frozenset(Trouble) - {Trouble.DONE, Trouble.KILLED_AFTER, Trouble.MEANWHILE}

HALF_MADE = frozenset({"object-missing"})
"""A visit that ends between a reservation, whose tags name the policy, and the EgressIP leaves what looks like an
object that somebody deleted; the message says that it may be either. Until the next visit pods leave by their nodes.
"""


def of_visits(call: CallName) -> bool:
    """The schedule and what follows from it."""
    return call.function != "api_handler"


@dataclass(frozen=True)
class Situation:
    """One starting point.

    Attributes:
        prepare: Brings it about in a lab at rest.
        meanwhile: What somebody else does in the middle of the visit.
        order: Has the cluster visited; by the schedule unless something else must.
        again: What makes later visits come; None for the same.
        with_memory: What visits remembered while it was brought about is kept: remedies wait for what has settled.
        seconds: How long the trouble may happen: the delay of the work queue and the visit, or a revisit as well.
        pause: Seconds from one later visit to the next.
        remember: Has the answers recorded that a stale read will give.
        rows: The calls that are broken here; all others are, in the same circumstances, somewhere else.
        about: How it begins, in a sentence, where `prepare` does not say it.
        told_of_kills: Kinds of findings that are there only because a visit was cut short, and are told for that.
        on_writes, on_reads: The troubles that are tried at each call that writes, and at each that reads.
    """

    name: str
    prepare: Act
    meanwhile: Act = acts.nothing
    order: Act = acts.by_schedule
    again: Act | None = None
    with_memory: bool = False
    seconds: float = 50.0
    pause: float = 60.0
    remember: Act = acts.answers_at_rest
    rows: Callable[[CallName], bool] = of_visits
    about: str = ""
    told_of_kills: frozenset[str] = frozenset()
    on_writes: frozenset[Trouble] = WRITES
    on_reads: frozenset[Trouble] = READS

    def __reduce__(self) -> tuple[Callable[[str], Situation], tuple[str]]:
        """Between processes it goes by its name: what it does are functions."""
        return _named, (self.name,)

    @property
    def beginning(self) -> str:
        """How it begins, in a sentence."""
        return self.about or inspect.cleandoc(self.prepare.__doc__ or "").partition("\n")[0]


SITUATIONS = {
    situation.name: situation
    for situation in (
        Situation(
            "drift",
            acts.edit_by_hand,
            meanwhile=acts.edit_again,
            on_writes=frozenset(Trouble) - {Trouble.STALE},
            on_reads=frozenset(Trouble) - {Trouble.DONE, Trouble.KILLED_AFTER},
        ),
        Situation("first-visit", acts.undo_everything, told_of_kills=HALF_MADE, on_reads=frozenset()),
        Situation(
            "second-visit",
            acts.nothing,
            about="All is well, and what is read may be from before anything of ours was there.",
            remember=acts.answers_from_before,
            on_writes=frozenset(),
        ),
        Situation(
            "policy-removed",
            acts.remove_policy,
            order=acts.approve,
            seconds=130.0,
        ),
        Situation(
            "policies-removed",
            acts.remove_policies,
            order=acts.approve,
            again=acts.by_schedule,  # nobody approves what is left
            seconds=130.0,
            rows=lambda call: of_visits(call) and call.system in ("ec2", CLUSTER),
            on_reads=frozenset(),
        ),
        Situation(
            "policy-replaced",
            acts.replace_policy,
            order=acts.approve,
            again=acts.by_schedule,  # nobody approves what is left
            seconds=130.0,
            rows=lambda call: of_visits(call) and call.system in ("ec2", CLUSTER),
            told_of_kills=HALF_MADE,
            on_reads=frozenset(),
        ),
        Situation("rolling-replacement", acts.replace_a_node),
        Situation("remedies", acts.break_two_addresses, with_memory=True, seconds=130.0),
        Situation(
            "blink",
            acts.blink,
            with_memory=True,
            rows=lambda call: call.what == "DeleteItem",
            on_writes=WITHOUT_ANSWER,
        ),
        Situation(
            "pool-label",
            acts.take_pool_label,
            rows=lambda call: call.system in (OCM, "secretsmanager"),
            on_writes=WITHOUT_ANSWER,
            on_reads=UNREAD,
        ),
        Situation(
            "pool-wanted",
            acts.want_a_pool,
            rows=lambda call: call.system == OCM and not call.is_read,
            on_writes=WITHOUT_ANSWER,
        ),
        Situation(
            "old-token",
            acts.let_the_token_age,
            rows=lambda call: call.what.endswith("/token") or call.system == "secretsmanager",
            on_writes=WITHOUT_ANSWER,
            on_reads=UNREAD - {Trouble.STALE},
        ),
        Situation(
            "other-account",
            acts.take_a_label_in_another_account,
            rows=lambda call: call.system == "sts",
            on_reads=UNREAD - {Trouble.STALE},
        ),
        Situation(
            "overlap",
            acts.select_some_pods,
            rows=lambda call: call.system == CLUSTER and call.what.startswith("GET namespaces"),
            on_reads=UNREAD - {Trouble.STALE},
        ),
        Situation(
            "instance-event",
            acts.take_a_label,
            about="EC2 announces an instance; nothing else brings a visit, so an event that is lost stays lost.",
            order=acts.announce_an_instance,
            again=acts.nothing,
            pause=200.0,
            rows=lambda call: call.function in ("intake", "route"),
            on_writes=WITHOUT_ANSWER,
            on_reads=UNREAD - {Trouble.STALE},
        ),
        Situation(
            "asked-for",
            acts.take_a_label,
            about="A person asks for a visit over the REST API, and asks again when told that it failed.",
            order=acts.ask,
            rows=lambda call: call.function == "api_handler",
            on_writes=WITHOUT_ANSWER,
            on_reads=UNREAD - {Trouble.STALE},
        ),
    )
}
"""By name. Only the first has every trouble at every call; the others have what can differ there: writes cut in two,
and reads from before; and those that are about one thing break the calls that have to do with it.
"""


def _named(name: str) -> Situation:
    return SITUATIONS[name]
