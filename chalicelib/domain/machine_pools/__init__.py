"""Machine pools and their nodes: made, labelled, compared, waited for; never scaled, never deleted.

Does not belong here: which pools are wished for (`wished_pools`), how OCM says it (`adapters.ocm_parse`).
"""
