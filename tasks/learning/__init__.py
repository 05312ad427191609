"""Learning: what was taught becomes a model that is served, or is refused.

A lesson is one training from its data to its verdict: curated, trained, judged beside its base,
served or refused. Start with `pipeline` (the steps) and `adapters` (versions).
"""
