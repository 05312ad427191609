"""Benchmarks: what this machine does, as ratios within one run. Start with `suite`."""
