"""From findings to people: when one counts, when it is told and told again, in which words, with which commands.

Does not belong here: storing and sending (`usecases.tell`), why a finding is kept quiet (`quiet`).
"""
