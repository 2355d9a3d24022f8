"""The twin asked before anything is done: what a plan would come to, and what would come of a loss or a change.

Does not belong here: the model of the platform (`twin`), what planning does about an objection (`rehearsed_planning`).
"""
