"""Continuity: the same seeded troubles with the tool and without, on virtual time, beside OpenShift's own yardstick.

    timelines   troubles, drawn from a seed          playing     one of them, with the tool and without
    summary     the table that people read

    clusters    random clusters                      lives       random lives of them
    breaking    accidents that nothing heals         truth       what was really the case
    alarms      needless and missed messages in them

The cluster is `sandbox.virtual`: the checked model of the platform, without a wire, so that an hour takes a second.
"""
