"""Addresses that should serve and do not: what ails each, which remedy fits, when its time has come, and the finding.

Does not belong here: carrying a remedy out (`objects` writes it into the EgressIP, `usecases.act` assigns), trying it
on the twin first (`rehearsing`).
"""
