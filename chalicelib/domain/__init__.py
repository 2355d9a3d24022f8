"""The core: values and decisions about egress addresses, pure throughout: no I/O, no clock, no framework.

| here | |
| --- | --- |
| `snapshot`, `spec` | what was seen, what is wished for |
| `terrain`, `capacity`, `verdicts`, … | questions that more than one decision asks of them |
| `policies`, `machine_pools`, `drift`, `healing` | the decisions, by subject |
| `objects` | one EgressIP out of all of them |
| `planning`, `rehearsed_planning`, `releasing`, `guard` | the plan, and whether it may run |
| `rehearsing`, `twin` | the plan tried on a model of the platform |
| `telling` | findings to people |
"""
