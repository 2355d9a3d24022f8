"""Addresses of policies: which one belongs to whom, whether it may be asked for, and the ranges that keep it.

Does not belong here: the EgressIP that says so in the cluster (`objects`).
"""
