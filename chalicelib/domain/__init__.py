"""The core: values and decisions about egress addresses, pure throughout: no I/O, no clock, no framework."""
