"""The twin: OVN-Kubernetes' EgressIP handling, CNCC and the EC2 address plane as one pure, deterministic step model.

A state and an event in; the next state and what was written out. No I/O, no clock, no randomness: time is a number that
the caller passes, and what the real programs leave to chance is an argument (`choices`).

Where to begin reading: `world` (all three together), then `cluster_manager`, `cncc`, `ec2`; `behaviours` for what
differs between releases.

    values, api        the API objects, what is written to them, the pure object store
    cluster_manager    its state and step: node_handlers, egress_ip_handlers, cpic_handlers, assignment, allocator,
                       turn, retries
    cncc               its state and step; cncc_cpics, cncc_nodes, cncc_work, workqueue
    ec2                instances, interfaces, addresses, refusals
    world, outside     the three together; what people and the cloud do to them
    exploring          every choice and other orders        resuming   a world from observed objects

Three ways to use it
--------------------
*Rehearse*, in memory:

    world = resumed(objects, plane, behaviours_of("1.2", "4.18"))     # or possible_behaviours(None, "4.18"), each
    world, status, _ = outside.apply_egress_ip(world, "web", ("10.0.1.7",))
    world, changes = advance(world, to=world.now + 60)                # changes: what a watch would have shown
    outcomes = exploring.advance_every_way([world], to=…)             # whatever the platform picks

*Replay* a recording of the real programs: `python -m sandbox replay FILE...`.

*Drive* the two controllers over a real wire. A driver owns the clock, a watch on the cluster API and an EC2 client:

    manager = cluster_manager.started(now)
    manager, writes = cluster_manager.step(manager, event, objects=…, now=…, behaviours=…, choose=…)
        event:  cluster_manager.SawChange(change)   for every change that manager.watches(change), each kind in order
                cluster_manager.Wake()              whenever cluster_manager.next_due(manager) is not later than now
                cluster_manager.Probed(node, answers)
    state = cncc.started(objects)
    state, writes = cncc.step(state, event, objects=…, now=…, behaviours=…)
        event:  cncc.SawChange(change)              for every change of a Node or a CPIC
                each of cncc.runnable(state, now)   cncc.next_due(state) says when there may be more
                cncc.Answered(key, answer)          for each of cncc.calls(state), once EC2 has answered it

`objects` is the freshest picture of the API that the driver has (`values.Objects`); `api.apply` keeps one up to date.
`writes` are carried out in their order (`api.Write`; `EmitEvent` becomes an Event in namespace `default`). One that the
API refuses (404, 409) is dropped, as its object is gone: the step functions do not want to know. Answers to
`ec2.Request` are `ec2.Answer`; a refusal is an `ec2.Ec2Error` with the code, message, HTTP status and request id of the
wire. The SDK's retries of throttled calls are part of the model: the driver sends each call once.

What it is checked against
--------------------------
Recordings of the real ovnkube cluster manager (releases 1.1, 1.2, 1.3, master) and the real CNCC (4.18, main) on a
real API server, with an EC2 that refuses as AWS does: `tests/traces`. Every recorded state, every recorded sequence of
changes of one object, every event and every alternative of a random outcome is reproduced (`tests/domain/twin`).

Not checked, or known to be simpler
-----------------------------------
- The behaviours "later" of OVN-Kubernetes and CNCC before 4.16 were read in source, not recorded. So was everything
  about IPv6 addresses, failing reachability probes, 5xx refusals, and confirmation that is slow to come.
- The EC2 texts come from public reports. Whether AWS lets an address be unassigned from an instance that is shutting
  down is not known; this plane does, while the interface is there.
- Calls take no time: the clock of CNCC's retries is the pure back-off (0, 5 ms, 15 ms, … 328 s). The real first ones
  are stretched to half a second each by the API client's rate limit; from the tenth on both agree within seconds.
- `status.items` is kept sorted. The real list has Go's map order, which only adds update events.
- Repetitions on the 30 s tick are tried in order of name; the real ones race.
- The event recorder's own rate limit, the 5,000 marks, leader election, and an API server that fails are not modelled.
- A status item is not saved by a secondary host network: that code path is for bare metal.

What it costs
-------------
Every change copies a little of each state (`tables`). With 1,000 nodes and 3,000 addresses: to resume 0.4 s, 50 new
objects 0.3 s, 100 nodes lost with room elsewhere 1.3 s. Losing a zone whose peers have no room is quadratic in the real
program and here (8 s): each released address makes every waiting object be tried again.
"""
