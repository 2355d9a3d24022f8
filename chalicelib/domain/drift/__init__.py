"""What is not as it should be around the addresses: zones, nodes, neighbours, tokens, and what moves too often.

Does not belong here: addresses that do not serve, and what is done about them (`healing`).
"""
